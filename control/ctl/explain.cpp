// SPDX-License-Identifier: BSD-3-Clause
// weirctl explain
#include "control/ctl/client.h"
#include "control/ctl/flow_words.h"
#include "control/ctl/print.h"

#include <cstdio>
#include <string>

namespace weir::ctl {

namespace {

template <typename... Values>
std::string format(const char* form, Values... values) {
    char text[160];
    (void)std::snprintf(text, sizeof(text), form, values...);
    return text;
}

void print_decision(const v1::Decision& decision) {
    std::printf(
        "%s%s\n",
        decision.outcome().c_str(),
        decision.drop_reason().empty() ? "" : (", as " + decision.drop_reason()).c_str());
    if (!decision.rule().empty()) {
        std::printf("  rule      %s: %s\n", decision.rule().c_str(), decision.says().c_str());
    } else {
        std::printf("  rule      none asks for anything\n");
    }
    if (!decision.held_back().empty()) {
        std::printf("  held back %s\n", decision.held_back().c_str());
    }
    if (!decision.override().empty()) {
        std::printf("  override  %s\n", decision.override().c_str());
    }
}

std::string slot_text(const v1::SlotExplanation& slot) {
    std::string text = slot.slot() + "  " + slot.class_name() + format(" %.3f", slot.confidence());
    if (!slot.model().empty()) {
        text += ", decided at packet " + std::to_string(slot.decided_at_packet()) + " by " +
                slot.model() + "@" + std::to_string(slot.version());
    }
    text += "\n  this packet alone, to " + slot.explained_by() + ": " + slot.packet_class() +
            format(" %.3f\n", slot.packet_confidence());
    text += "  " + slot.class_name() + " against " + slot.against() +
            format(
                ": %+.2f bits of odds = %+.2f without the packet %+.2f by its features",
                slot.score_bits(),
                slot.bias_bits(),
                slot.score_bits() - slot.bias_bits() - slot.rest_bits());
    if (slot.rest_bits() != 0.0) {
        text += format(" %+.2f by several together", slot.rest_bits());
    }
    return text + " (" + slot.method() + ")\n";
}

void print_slot(const v1::SlotExplanation& slot) {
    std::fputs(slot_text(slot).c_str(), stdout);
    TextTable table;
    table.row({"BITS", "FEATURE", "VALUE", "UNIT", "CODE", "WHICH IS"});
    for (const auto& part : slot.features()) {
        table.row(
            {format("%+.2f", part.bits()),
             part.feature(),
             format("%.6g", part.value()),
             part.unit(),
             std::to_string(part.code()),
             part.description()});
    }
    std::fputs(table.empty() ? "  no feature moves it\n" : table.text().c_str(), stdout);
}

}  // namespace

Exit run_explain(Client& client, const Call& call) {
    constexpr std::uint32_t kMostFeatures = 256;
    constexpr std::uint32_t kLongestWait = 30;
    constexpr std::uint32_t kMsPerS = 1000;
    const auto top = whole_number(call, "top", 1, kMostFeatures);
    const auto wait = top ? time_span(call, "wait", 1, kLongestWait) : std::nullopt;
    if (!wait) {
        return Exit::bad_input;
    }
    v1::ExplainFlowRequest request;
    request.set_flow(call.get("FLOW"));
    request.set_slot(call.get("slot"));
    request.set_top(*top);
    request.set_wait_ms(*wait * kMsPerS);
    v1::ExplainFlowReply reply;
    const auto context = client.context(*wait);
    if (const auto got = client.stub().ExplainFlow(context.get(), request, &reply); !got.ok()) {
        return client.report_status(call, got);
    }
    warn(reply.notes());
    if (call.json) {
        print_json(reply);
        return Exit::ok;
    }
    const auto& flow = reply.flow();
    std::printf(
        "%s  id %llu, %llu packets sent, %llu received, the last at %s\n",
        ends(flow).c_str(),
        static_cast<unsigned long long>(flow.id()),
        static_cast<unsigned long long>(flow.packets_sent()),
        static_cast<unsigned long long>(flow.packets_received()),
        time_of_day(flow.last_unix_ns()).c_str());
    if (!reply.sampled()) {
        std::printf(
            "%s  %s%s\n",
            treatment(flow).c_str(),
            verdicts(flow, true).c_str(),
            flow.override().empty() ? "" : ("  override: " + flow.override()).c_str());
        return Exit::ok;
    }
    print_decision(reply.decision());
    for (const auto& slot : reply.slots()) {
        print_slot(slot);
    }
    return Exit::ok;
}

}  // namespace weir::ctl
