// SPDX-License-Identifier: BSD-3-Clause
// weirctl models …, reload
#include "control/ctl/client.h"
#include "control/ctl/print.h"

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace weir::ctl {

namespace {

constexpr std::size_t kChunkBytes = std::size_t{256} << 10;

const char* source(const v1::Model& model) {
    switch (model.source()) {
        case v1::MODEL_SOURCE_DEFAULT:
            return "default";
        case v1::MODEL_SOURCE_CONFIG:
            return "config";
        case v1::MODEL_SOURCE_PUSHED:
            return "pushed";
        default:
            return "?";
    }
}

/// Streams the file. Stops early if the gateway refuses; its reason comes with Finish.
grpc::Status send(
    Client& client,
    const Call& call,
    std::ifstream& file,
    std::uint64_t size,
    v1::PushModelReply& reply) {
    const auto context = client.context();
    const auto writer = client.stub().PushModel(context.get(), &reply);
    v1::PushModelRequest request;
    auto& header = *request.mutable_header();
    header.set_slot(call.get("slot"));
    header.set_size_bytes(size);
    header.set_activate(call.has("activate"));
    header.set_allow_older(call.has("allow-older"));
    bool more = writer->Write(request);
    std::string chunk(kChunkBytes, '\0');
    while (more && file) {
        file.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
        if (file.gcount() == 0) {
            break;
        }
        request.set_chunk(chunk.data(), static_cast<std::size_t>(file.gcount()));
        more = writer->Write(request);
    }
    writer->WritesDone();
    return writer->Finish();
}

}  // namespace

std::string label(const v1::Model& model) {
    return model.name() + "@" + std::to_string(model.version());
}

static std::string canary_text(std::uint32_t permyriad) {
    char text[32];
    (void)std::snprintf(text, sizeof(text), "canary %.4g %%", permyriad / 100.0);
    return text;
}

std::string stage_text(const v1::Model& model) {
    switch (model.stage()) {
        case v1::MODEL_STAGE_VERIFIED:
            return model.barred().empty() ? "verified" : "barred";
        case v1::MODEL_STAGE_SHADOW:
            return "shadow";
        case v1::MODEL_STAGE_CANARY:
            return canary_text(model.canary_permyriad());
        case v1::MODEL_STAGE_ACTIVE:
            return "active";
        case v1::MODEL_STAGE_RETIRED:
            return model.barred().empty() ? "retired" : "barred";
        default:
            return "?";
    }
}

std::optional<std::uint32_t> version_of(const Call& call) {
    const std::string text = call.get("VERSION");
    if (text.empty()) {
        return 0;
    }
    std::uint32_t version = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, version);
    if (parsed.ec == std::errc{} && parsed.ptr == end && version > 0) {
        return version;
    }
    (void)report(
        call,
        "INVALID_ARGUMENT",
        "VERSION: '" + text + "' is no version; fix: a number from 1",
        Exit::bad_input);
    return std::nullopt;
}

Exit print_activation(
    const Call& call, const v1::ActivateModelReply& reply, const std::string& slot) {
    warn(reply.warnings());
    if (call.json) {
        print_json(reply);
        return Exit::ok;
    }
    std::printf(
        "%s: %s -> %s (generation %llu)\n",
        slot.c_str(),
        reply.has_from() ? label(reply.from()).c_str() : "none",
        reply.has_to() ? label(reply.to()).c_str() : "none",
        static_cast<unsigned long long>(reply.generation()));
    return Exit::ok;
}

Exit run_models_list(Client& client, const Call& call) {
    v1::ListModelsRequest request;
    request.set_slot(call.get("slot"));
    v1::ListModelsReply reply;
    const auto context = client.context();
    if (const auto status = client.stub().ListModels(context.get(), request, &reply);
        !status.ok()) {
        return client.report_status(call, status);
    }
    if (call.json) {
        print_json(reply);
        return Exit::ok;
    }
    TextTable table;
    table.row(
        {"SLOT",
         "MODEL",
         "STAGE",
         "SOURCE",
         "SIGNER",
         "INPUTS",
         "CLASSES",
         "CYCLES/ROW",
         "ACTIVATED"});
    for (const auto& model : reply.models()) {
        table.row(
            {model.slot(),
             label(model),
             stage_text(model),
             source(model),
             model.signer(),
             std::to_string(model.inputs()),
             std::to_string(model.classes_size()),
             metric_prefix(model.cycles_per_row()),
             date(model.activated_unix())});
    }
    std::fputs(table.empty() ? "no models\n" : table.text().c_str(), stdout);
    return Exit::ok;
}

Exit run_models_push(Client& client, const Call& call) {
    const std::string path = call.get("FILE");
    const auto refuse = [&](const std::string& why) {
        return report(
            call,
            "INVALID_ARGUMENT",
            path + ": " + why + "; fix: name a bundle file",
            Exit::bad_input);
    };
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
        return refuse("is no regular file");
    }
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    const auto size = file ? static_cast<std::int64_t>(file.tellg()) : -1;
    if (size < 0 || !file.seekg(0)) {
        return refuse(std::string("cannot be read: ") + std::strerror(errno));
    }
    if (size == 0) {
        return refuse("is empty");
    }
    v1::PushModelReply reply;
    const auto sent = send(client, call, file, static_cast<std::uint64_t>(size), reply);
    if (!sent.ok()) {
        // Refusals speak of "push": the operator knows the file.
        std::string message = sent.error_message();
        if (message.starts_with("push:")) {
            message.replace(0, 4, path);
        }
        return client.report_status(call, {sent.error_code(), message});
    }
    warn(reply.warnings());
    if (call.json) {
        print_json(reply);
        return Exit::ok;
    }
    std::printf(
        "%s: %s %s, signed by %s, now %s\n",
        reply.model().slot().c_str(),
        label(reply.model()).c_str(),
        reply.already_stored() ? "was stored already" : "verified and stored",
        reply.model().signer().c_str(),
        stage_text(reply.model()).c_str());
    return Exit::ok;
}

Exit run_models_activate(Client& client, const Call& call) {
    v1::ActivateModelRequest request;
    const auto version = version_of(call);
    if (!version) {
        return Exit::bad_input;
    }
    request.set_slot(call.get("SLOT"));
    request.set_name(call.get("NAME"));
    request.set_version(*version);
    request.set_override_bar(call.has("override"));
    if (request.override_bar()) {
        const auto said = confirm(call, "activate a version that a guardrail rolled back");
        if (said) {
            return *said;
        }
    }
    v1::ActivateModelReply reply;
    const auto context = client.context();
    const auto status = client.stub().ActivateModel(context.get(), request, &reply);
    return status.ok() ? print_activation(call, reply, request.slot())
                       : client.report_status(call, status);
}

Exit run_models_rollback(Client& client, const Call& call) {
    v1::RollbackModelRequest request;
    request.set_slot(call.get("SLOT"));
    v1::ActivateModelReply reply;
    const auto context = client.context();
    const auto status = client.stub().RollbackModel(context.get(), request, &reply);
    return status.ok() ? print_activation(call, reply, request.slot())
                       : client.report_status(call, status);
}

Exit run_models_remove(Client& client, const Call& call) {
    v1::RemoveModelRequest request;
    const auto version = version_of(call);
    if (!version) {
        return Exit::bad_input;
    }
    request.set_slot(call.get("SLOT"));
    request.set_name(call.get("NAME"));
    request.set_version(*version);
    if (const auto said = confirm(
            call,
            "delete " + request.name() + "@" + std::to_string(*version) + " from the gateway")) {
        return *said;
    }
    v1::RemoveModelReply reply;
    const auto context = client.context();
    if (const auto status = client.stub().RemoveModel(context.get(), request, &reply);
        !status.ok()) {
        return client.report_status(call, status);
    }
    if (call.json) {
        print_json(reply);
    } else {
        std::printf(
            "%s: %s@%u removed\n", request.slot().c_str(), request.name().c_str(), *version);
    }
    return Exit::ok;
}

Exit run_reload(Client& client, const Call& call) {
    v1::ReloadRequest request;
    request.set_dry_run(call.has("dry-run"));
    v1::ReloadReply reply;
    const auto context = client.context();
    if (const auto status = client.stub().Reload(context.get(), request, &reply); !status.ok()) {
        return client.report_status(call, status);
    }
    warn(reply.warnings());
    if (call.json) {
        print_json(reply);
        return Exit::ok;
    }
    for (const auto& line : reply.applied()) {
        std::printf(
            "%s  %s\n", request.dry_run() ? "would apply  " : "applied      ", line.c_str());
    }
    for (const auto& line : reply.needs_restart()) {
        std::printf("needs restart  %s\n", line.c_str());
    }
    if (reply.applied().empty() && reply.needs_restart().empty()) {
        std::puts("nothing changed");
    }
    return Exit::ok;
}

}  // namespace weir::ctl
