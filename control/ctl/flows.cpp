// SPDX-License-Identifier: BSD-3-Clause
// weirctl tail, flows
#include "config/load.h"
#include "control/ctl/client.h"
#include "control/ctl/interrupt.h"
#include "control/ctl/print.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>

namespace weir::ctl {

namespace {

std::string endpoint(const std::string& address, std::uint32_t port) {
    const bool v6 = address.find(':') != std::string::npos;
    return (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

std::string protocol(std::uint32_t number) {
    switch (number) {
        case 1:
            return "icmp";
        case 6:
            return "tcp";
        case 17:
            return "udp";
        case 58:
            return "icmp6";
        default:
            return "ip" + std::to_string(number);
    }
}

std::string ends(const v1::Flow& flow) {
    std::string text = protocol(flow.ip_protocol()) + " " +
                       endpoint(flow.source(), flow.source_port()) + " > " +
                       endpoint(flow.destination(), flow.destination_port());
    if (flow.vlan() != 0) {
        text += " vlan " + std::to_string(flow.vlan());
    }
    return text;
}

std::string treatment(const v1::Flow& flow) {
    return flow.dropped()    ? "drop"
           : flow.has_dscp() ? config::dscp_name(static_cast<std::uint8_t>(flow.dscp()))
                             : "pass";
}

std::string verdicts(const v1::Flow& flow, bool with_model) {
    std::string text;
    for (const auto& verdict : flow.verdicts()) {
        char confidence[16];
        (void)std::snprintf(confidence, sizeof(confidence), "%.3f", verdict.confidence());
        text += (text.empty() ? "" : "  ") + verdict.slot() + "=" + verdict.class_name() + " " +
                confidence;
        if (with_model) {
            text += " (" + (verdict.model().empty() ? "?" : verdict.model()) + "@" +
                    std::to_string(verdict.version()) + ", packet " +
                    std::to_string(verdict.decided_at_packet()) + ")";
        }
    }
    return text.empty() ? "undecided" : text;
}

/// Packet time, UTC, to the millisecond.
std::string time_of_day(std::uint64_t unix_ns) {
    constexpr std::uint64_t kNsPerS = 1'000'000'000;
    constexpr std::uint64_t kNsPerMs = 1'000'000;
    const auto seconds = static_cast<std::time_t>(unix_ns / kNsPerS);
    std::tm parts{};
    (void)::gmtime_r(&seconds, &parts);
    char text[32];
    (void)std::snprintf(
        text,
        sizeof(text),
        "%02d:%02d:%02d.%03u",
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec,
        static_cast<unsigned>(unix_ns % kNsPerS / kNsPerMs));
    return text;
}

/// None: --min-confidence is no number within 0 to 1, and that was reported.
bool read_filter(const Call& call, v1::FlowFilter& filter) {
    filter.set_slot(call.get("slot"));
    filter.set_class_name(call.get("class"));
    filter.set_prefix(call.get("prefix"));
    const std::string text = call.get("min-confidence");
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (end == text.c_str() || *end != '\0' || !(value >= 0.0 && value <= 1.0)) {
        (void)report(
            call,
            "INVALID_ARGUMENT",
            "--min-confidence: '" + text + "' is not within 0 to 1",
            Exit::bad_input);
        return false;
    }
    filter.set_min_confidence(value);
    return true;
}

/// A whole number from `least` to `most`; none: it is not, and that was reported.
std::optional<std::uint32_t> whole_number(
    const Call& call, const char* option, std::uint32_t least, std::uint32_t most) {
    const std::string text = call.get(option);
    std::uint32_t value = 0;
    const auto* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    if (read.ec == std::errc{} && read.ptr == end && value >= least && value <= most) {
        return value;
    }
    (void)report(
        call,
        "INVALID_ARGUMENT",
        std::string("--") + option + ": '" + text + "' is not within " + std::to_string(least) +
            " to " + std::to_string(most),
        Exit::bad_input);
    return std::nullopt;
}

void print_verdict(const Call& call, const v1::Flow& flow) {
    if (call.json) {
        std::printf("%s\n", to_json(flow).dump().c_str());
        return;
    }
    std::printf(
        "%s  %s  %s  %s\n",
        time_of_day(flow.last_unix_ns()).c_str(),
        ends(flow).c_str(),
        verdicts(flow, true).c_str(),
        treatment(flow).c_str());
}

}  // namespace

Exit run_tail(Client& client, const Call& call) {
    constexpr std::uint32_t kMost = 1'000'000'000;
    v1::TailVerdictsRequest request;
    const auto count = whole_number(call, "count", 0, kMost);
    if (!count || !read_filter(call, *request.mutable_filter())) {
        return Exit::bad_input;
    }
    const auto context = Client::endless_context();
    const Interrupt interrupt(*context);
    const auto reader = client.stub().TailVerdicts(context.get(), request);
    v1::TailVerdictsReply reply;
    std::uint32_t printed = 0;
    int trouble = 0;  // an errno
    bool done = false;
    while (!done && trouble == 0 && reader->Read(&reply)) {
        if (reply.missed() != 0) {
            std::fprintf(
                stderr,
                "weirctl: warning: %llu verdicts were not told: they came too fast\n",
                static_cast<unsigned long long>(reply.missed()));
        }
        for (const auto& flow : reply.flows()) {
            print_verdict(call, flow);
            done = *count != 0 && ++printed == *count;
            if (done) {
                break;
            }
        }
        // Nobody reads any more, or the disk is full: there is nobody to go on for.
        if (std::fflush(stdout) != 0) {
            trouble = errno;
        }
    }
    if (done || trouble != 0) {  // else it has ended by itself, and its status says why
        context->TryCancel();
    }
    const auto status = reader->Finish();
    if (trouble != 0) {
        errno = trouble;  // stdout remembers that it failed: who called tells it
        return Exit::failed;
    }
    return done || Interrupt::happened() ? Exit::ok : client.report_status(call, status);
}

Exit run_flows(Client& client, const Call& call) {
    constexpr std::uint32_t kMost = 1000;
    v1::ListFlowsRequest request;
    const auto top = whole_number(call, "top", 1, kMost);
    if (!top || !read_filter(call, *request.mutable_filter())) {
        return Exit::bad_input;
    }
    request.set_top(*top);
    request.set_by(call.get("by"));
    v1::ListFlowsReply reply;
    const auto context = client.context();
    if (const auto got = client.stub().ListFlows(context.get(), request, &reply); !got.ok()) {
        return client.report_status(call, got);
    }
    if (!reply.complete()) {
        std::fprintf(stderr, "weirctl: warning: not every worker answered in time\n");
    }
    if (call.json) {
        print_json(reply);
        return Exit::ok;
    }
    TextTable table;
    table.row({"BYTES", "PACKETS", "SECONDS", "DONE", "FLOW", "VERDICTS"});
    for (const auto& flow : reply.flows()) {
        char seconds[32];
        (void)std::snprintf(
            seconds,
            sizeof(seconds),
            "%.1f",
            static_cast<double>(flow.last_unix_ns() - flow.first_unix_ns()) * 1e-9);
        table.row(
            {std::to_string(flow.bytes_sent() + flow.bytes_received()),
             std::to_string(flow.packets_sent() + flow.packets_received()),
             seconds,
             treatment(flow),
             ends(flow),
             verdicts(flow, false)});
    }
    std::fputs(table.empty() ? "" : table.text().c_str(), stdout);
    std::printf(
        "%llu of %llu live flows match\n",
        static_cast<unsigned long long>(reply.matched()),
        static_cast<unsigned long long>(reply.live()));
    return Exit::ok;
}

}  // namespace weir::ctl
