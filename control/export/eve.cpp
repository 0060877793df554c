// SPDX-License-Identifier: BSD-3-Clause
#include "control/export/eve.h"

#include <array>
#include <cstdio>
#include <ctime>

#include <nlohmann/json.hpp>

namespace weir::control {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kNsPerS = 1'000'000'000;
constexpr std::uint64_t kNsPerUs = 1000;

/// "2026-01-31T12:00:00.123456+0000"
std::string time_text(std::uint64_t unix_ns) {
    const auto seconds = static_cast<std::time_t>(unix_ns / kNsPerS);
    std::tm parts{};
    (void)::gmtime_r(&seconds, &parts);
    std::array<char, 32> whole{};
    (void)std::strftime(whole.data(), whole.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::array<char, 64> text{};
    (void)std::snprintf(
        text.data(),
        text.size(),
        "%s.%06u+0000",
        whole.data(),
        static_cast<unsigned>(unix_ns % kNsPerS / kNsPerUs));
    return text.data();
}

std::string protocol(std::uint8_t number) {
    switch (number) {
        case 1:
            return "ICMP";
        case 6:
            return "TCP";
        case 17:
            return "UDP";
        case 47:
            return "GRE";
        case 50:
            return "ESP";
        case 58:
            return "IPv6-ICMP";
        case 132:
            return "SCTP";
        default:
            break;
    }
    std::array<char, 8> text{};
    (void)std::snprintf(text.data(), text.size(), "%03u", static_cast<unsigned>(number));
    return text.data();
}

const char* state(const FlowEvent& event) {
    return event.end == dataplane::FlowEnd::closed ? "closed"
           : event.packets[1] != 0                 ? "established"
                                                   : "new";
}

const char* reason(dataplane::FlowEnd end) {
    switch (end) {
        case dataplane::FlowEnd::evicted:
            return "forced";
        case dataplane::FlowEnd::shutdown:
            return "shutdown";
        default:
            return "timeout";
    }
}

double share(std::uint16_t score) {
    constexpr double kWhole = 65535.0;
    constexpr double kDigits = 1e6;
    return static_cast<double>(static_cast<std::uint32_t>(score / kWhole * kDigits + 0.5)) /
           kDigits;
}

Json head(const FlowEvent& event, const char* type) {
    Json out{{"timestamp", time_text(event.last_ns)}, {"flow_id", event.id}, {"event_type", type}};
    if (event.vlan != 0) {
        out["vlan"] =
            event.inner_vlan != 0 ? Json{event.vlan, event.inner_vlan} : Json::array({event.vlan});
    }
    out["src_ip"] = event_address(event.source, event.ip_version);
    if (event.has_ports()) {
        out["src_port"] = event.source_port;
    }
    out["dest_ip"] = event_address(event.destination, event.ip_version);
    if (event.has_ports()) {
        out["dest_port"] = event.destination_port;
    }
    out["proto"] = protocol(event.proto);
    return out;
}

Json counters(const FlowEvent& event) {
    return {
        {"pkts_toserver", event.packets[0]},
        {"pkts_toclient", event.packets[1]},
        {"bytes_toserver", event.bytes[0]},
        {"bytes_toclient", event.bytes[1]},
        {"start", time_text(event.first_ns)}};
}

Json ours(const FlowEvent& event) {
    Json verdicts = Json::object();
    for (const auto& verdict : event.verdicts) {
        if (!verdict.cls.empty()) {
            verdicts[verdict.slot] = {
                {"class", verdict.cls},
                {"score", share(verdict.score)},
                {"model", verdict.model},
                {"version", verdict.version},
                {"decided_at_packet", verdict.decided_at_packet}};
        }
    }
    Json out{{"verdicts", std::move(verdicts)}, {"dropped", event.dropped}};
    if (event.dscp) {
        out["dscp"] = *event.dscp;
    }
    if (event.tunnel_id != 0) {
        out["tunnel_id"] = event.tunnel_id;
    }
    return out;
}

std::string line(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Within 1,000,000 to 1,999,999, which are for local rules. The same for a class in every model.
std::uint32_t signature_id(const EventVerdict& verdict) {
    std::uint32_t hash = 2166136261U;
    for (const char c : verdict.slot + "/" + verdict.cls) {
        hash = (hash ^ static_cast<std::uint8_t>(c)) * 16777619U;
    }
    return 1'000'000U + hash % 1'000'000U;
}

/// 1 is the worst.
int severity(std::uint16_t score) {
    constexpr std::uint16_t kSure = 58982;    // 0.9
    constexpr std::uint16_t kLikely = 39321;  // 0.6
    return score >= kSure ? 1 : score >= kLikely ? 2 : 3;
}

}  // namespace

std::string eve_flow(const FlowEvent& event) {
    Json out = head(event, "flow");
    Json flow = counters(event);
    flow["end"] = time_text(event.last_ns);
    flow["age"] = (event.last_ns - event.first_ns) / kNsPerS;
    flow["state"] = state(event);
    flow["reason"] = reason(event.end);
    flow["alerted"] = event.alarm() != nullptr;
    if (event.dropped) {
        flow["action"] = "drop";
    }
    out["flow"] = std::move(flow);
    out["weir"] = ours(event);
    return line(out);
}

std::string eve_alert(const FlowEvent& event) {
    const EventVerdict& alarm = *event.alarm();
    Json out = head(event, "alert");
    out["alert"] = {
        {"action", event.dropped ? "blocked" : "allowed"},
        {"gid", 1},
        {"signature_id", signature_id(alarm)},
        {"rev", alarm.version},
        {"signature", "WEIR " + alarm.slot + " " + alarm.cls},
        {"category", alarm.cls},
        {"severity", severity(alarm.score)}};
    out["flow"] = counters(event);
    out["weir"] = ours(event);
    return line(out);
}

std::string eve_stats(const StatsSample& sample) {
    return line(Json{
        {"timestamp", time_text(sample.unix_ns)},
        {"event_type", "stats"},
        {"stats",
         {{"uptime", sample.uptime_s},
          {"decoder",
           {{"pkts", sample.packets}, {"bytes", sample.bytes}, {"invalid", sample.invalid}}}}},
        {"weir",
         {{"sent", sample.sent},
          {"marked", sample.marked},
          {"dropped", sample.drops},
          {"scored", sample.scored},
          {"flows_live", sample.flows_live},
          {"flows_created", sample.flows_created},
          {"records_lost", sample.records_lost}}}});
}

}  // namespace weir::control
