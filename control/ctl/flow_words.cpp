// SPDX-License-Identifier: BSD-3-Clause
#include "control/ctl/flow_words.h"

#include "config/load.h"

#include <charconv>
#include <cstdio>
#include <ctime>

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
        case 132:
            return "sctp";
        default:
            return "ip" + std::to_string(number);
    }
}

}  // namespace

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

std::optional<std::uint32_t> time_span(
    const Call& call, const char* option, std::uint32_t least, std::uint32_t most) {
    const std::string text = call.get(option);
    std::uint64_t value = 0;
    const auto* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    const std::string unit(read.ptr, end);
    const std::uint64_t seconds = unit.empty() || unit == "s" ? 1
                                  : unit == "m"               ? 60
                                  : unit == "h"               ? 3600
                                  : unit == "d"               ? 86'400
                                                              : 0;
    if (read.ec == std::errc{} && seconds != 0 && value <= most && value * seconds >= least &&
        value * seconds <= most) {
        return static_cast<std::uint32_t>(value * seconds);
    }
    (void)report(
        call,
        "INVALID_ARGUMENT",
        std::string("--") + option + ": '" + text + "' is not within " + std::to_string(least) +
            " s to " + std::to_string(most) + " s; fix: such as 90s, 10m, 2h or 1d",
        Exit::bad_input);
    return std::nullopt;
}

}  // namespace weir::ctl
