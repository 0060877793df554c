// SPDX-License-Identifier: BSD-3-Clause
#include "control/server/calls.h"

#include "control/server/convert.h"

#include <exception>
#include <utility>

namespace weir::control {

namespace {

constexpr std::size_t kMaxSlotBytes = 64;
constexpr std::uint32_t kMinWatchMs = 100;
constexpr std::uint32_t kMaxWatchMs = 60'000;
constexpr std::uint32_t kDefaultWatchMs = 1000;

/// Cut where a UTF-8 character begins.
std::string clipped(std::string text) {
    if (text.size() <= kMaxMessageBytes) {
        return text;
    }
    std::size_t end = kMaxMessageBytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
        --end;
    }
    text.resize(end);
    return text + "...";
}

grpc::StatusCode code_of(FailureKind kind) {
    switch (kind) {
        case FailureKind::invalid:
            return grpc::StatusCode::INVALID_ARGUMENT;
        case FailureKind::not_found:
            return grpc::StatusCode::NOT_FOUND;
        case FailureKind::precondition:
            return grpc::StatusCode::FAILED_PRECONDITION;
        case FailureKind::exhausted:
            return grpc::StatusCode::RESOURCE_EXHAUSTED;
        case FailureKind::unavailable:
            return grpc::StatusCode::UNAVAILABLE;
        case FailureKind::internal:
            break;
    }
    return grpc::StatusCode::INTERNAL;
}

grpc::Status bad(const std::string& text) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "push: " + text};
}

}  // namespace

grpc::Status to_status(const Failure& failure) {
    return {code_of(failure.kind), clipped(failure.error.line())};
}

grpc::Status to_status(const std::vector<Error>& errors) {
    std::string lines;
    for (std::size_t i = 0; i < errors.size(); ++i) {
        const std::string line = errors[i].line();
        if (i > 0 && lines.size() + line.size() > kMaxMessageBytes) {
            lines.append("\nand ").append(std::to_string(errors.size() - i)).append(" more");
            break;
        }
        lines.append(i == 0 ? "" : "\n").append(clipped(line));
    }
    return {grpc::StatusCode::INVALID_ARGUMENT, lines};
}

grpc::Status busy() {
    return {
        grpc::StatusCode::RESOURCE_EXHAUSTED,
        "weir: too many requests wait, or it is stopping; fix: try again"};
}

grpc::Status guarded(const std::function<grpc::Status()>& work) {
    try {
        return work();
    } catch (const std::exception& e) {
        return {grpc::StatusCode::INTERNAL, clipped(std::string("weir: ") + e.what())};
    }
}

grpc::Status list_models(
    ControlServer::Parts& parts, const v1::ListModelsRequest& request, v1::ListModelsReply& reply) {
    const auto models = parts.registry.list(request.slot());
    if (!models) {
        return to_status(models.error());
    }
    for (const auto& model : *models) {
        fill(model, *reply.add_models());
    }
    return grpc::Status::OK;
}

grpc::Status activate_model(
    ControlServer::Parts& parts,
    const v1::ActivateModelRequest& request,
    const Actor& actor,
    v1::ActivateModelReply& reply) {
    const auto done = parts.registry.activate(
        {request.slot(), request.name(), request.version()}, actor, request.override_bar());
    if (!done) {
        return to_status(done.error());
    }
    parts.changed();
    fill(*done, reply);
    return grpc::Status::OK;
}

grpc::Status rollback_model(
    ControlServer::Parts& parts,
    const v1::RollbackModelRequest& request,
    const Actor& actor,
    v1::ActivateModelReply& reply) {
    const auto done = parts.registry.rollback(request.slot(), actor);
    if (!done) {
        return to_status(done.error());
    }
    parts.changed();
    fill(*done, reply);
    return grpc::Status::OK;
}

grpc::Status remove_model(
    ControlServer::Parts& parts, const v1::RemoveModelRequest& request, const Actor& actor) {
    const auto done =
        parts.registry.remove({request.slot(), request.name(), request.version()}, actor);
    if (!done) {
        return to_status(done.error());
    }
    parts.changed();
    return grpc::Status::OK;
}

grpc::Status reload(
    ControlServer::Parts& parts,
    const v1::ReloadRequest& request,
    const Actor& actor,
    v1::ReloadReply& reply) {
    const auto report = parts.reload(actor, request.dry_run());
    if (!report) {
        return to_status(report.error());
    }
    fill(*report, reply);
    return grpc::Status::OK;
}

grpc::Status IncomingBundle::take(const v1::PushModelRequest& request) {
    switch (request.part_case()) {
        case v1::PushModelRequest::kHeader:
            return take_header(request.header());
        case v1::PushModelRequest::kChunk:
            return take_chunk(request.chunk());
        case v1::PushModelRequest::PART_NOT_SET:
            break;
    }
    return bad("a message has neither header nor chunk");
}

grpc::Status IncomingBundle::take_header(const v1::PushHeader& header) {
    if (has_header_) {
        return bad("header: came twice");
    }
    if (header.slot().size() > kMaxSlotBytes) {
        return bad("header.slot: is longer than any slot's name");
    }
    if (header.size_bytes() == 0) {
        return bad("header.size_bytes: is 0; fix: name the bundle's size");
    }
    if (header.size_bytes() > max_bytes_) {
        return {
            grpc::StatusCode::RESOURCE_EXHAUSTED,
            "push: header.size_bytes: " + std::to_string(header.size_bytes()) +
                " is more than the limit of " + std::to_string(max_bytes_) +
                "; fix: a smaller model, or raise control.max_bundle_mb"};
    }
    header_ = header;
    has_header_ = true;
    return grpc::Status::OK;
}

grpc::Status IncomingBundle::take_chunk(const std::string& chunk) {
    if (!has_header_) {
        return bad("the first message is no header");
    }
    if (chunk.empty()) {
        return bad("chunk: is empty");
    }
    if (chunk.size() > ControlServer::kMaxChunkBytes) {
        return bad("chunk: is larger than 1 MiB");
    }
    if (chunk.size() > header_.size_bytes() - bytes_.size()) {
        return bad("chunk: more bytes than header.size_bytes says");
    }
    // Grows with what came, not with what was announced.
    const auto* begin = reinterpret_cast<const std::byte*>(chunk.data());
    bytes_.insert(bytes_.end(), begin, begin + chunk.size());
    return grpc::Status::OK;
}

grpc::Status IncomingBundle::complete() const {
    if (has_header_ && bytes_.size() == header_.size_bytes()) {
        return grpc::Status::OK;
    }
    return bad(
        "truncated: " + std::to_string(bytes_.size()) + " of " +
        std::to_string(header_.size_bytes()) + " bytes came");
}

grpc::Status commit_push(
    ControlServer::Parts& parts,
    const v1::PushHeader& header,
    Outcome<Candidate> checked,
    const Actor& actor,
    v1::PushModelReply& reply) {
    if (!checked) {
        parts.registry.push_refused(header.slot(), checked.error(), actor);
        return to_status(checked.error());
    }
    const PushOptions options{
        .activate = header.activate(),
        .allow_older = header.allow_older(),
        .source = Source::pushed};
    const auto pushed = parts.registry.push(std::move(*checked), options, actor);
    if (!pushed) {
        return to_status(pushed.error());
    }
    parts.changed();
    fill(*pushed, reply);
    return grpc::Status::OK;
}

grpc::Status watch_interval(
    const v1::WatchStatusRequest& request, std::chrono::milliseconds& interval) {
    const auto ms = request.interval_ms() == 0 ? kDefaultWatchMs : request.interval_ms();
    if (ms < kMinWatchMs || ms > kMaxWatchMs) {
        return {grpc::StatusCode::INVALID_ARGUMENT, "watch: interval_ms: not within 100 to 60000"};
    }
    interval = std::chrono::milliseconds(ms);
    return grpc::Status::OK;
}

}  // namespace weir::control
