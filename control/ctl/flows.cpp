// SPDX-License-Identifier: BSD-3-Clause
// weirctl tail, flows
#include "control/ctl/client.h"
#include "control/ctl/flow_words.h"
#include "control/ctl/interrupt.h"
#include "control/ctl/print.h"
#include "control/ctl/stream_end.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

namespace weir::ctl {

namespace {

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
    return end_stream(client, call, *context, *reader, {done, trouble});
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
    table.row({"BYTES", "PACKETS", "SECONDS", "DONE", "ID", "FLOW", "VERDICTS"});
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
             treatment(flow) + (flow.override().empty() ? "" : " (" + flow.override() + "ed)"),
             std::to_string(flow.id()),
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
