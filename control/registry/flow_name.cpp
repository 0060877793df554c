// SPDX-License-Identifier: BSD-3-Clause
#include "control/registry/flow_name.h"

#include "config/findings.h"
#include "config/load.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

#include <arpa/inet.h>

namespace weir::control {

namespace {

constexpr std::array<std::pair<std::string_view, std::uint8_t>, 5> kProtocols{
    {{"icmp", 1}, {"tcp", 6}, {"udp", 17}, {"icmp6", 58}, {"sctp", 132}}};
constexpr std::uint16_t kMaxVlan = 4094;

std::vector<std::string_view> words(std::string_view text) {
    constexpr std::string_view kBlanks = " \t,>";
    std::vector<std::string_view> out;
    for (std::size_t at = text.find_first_not_of(kBlanks); at != std::string_view::npos;) {
        const std::size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
        out.push_back(text.substr(at, end - at));
        at = text.find_first_not_of(kBlanks, end);
    }
    return out;
}

template <typename T>
std::optional<T> number(std::string_view text, T most) {
    T value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool good = error == std::errc{} && end == text.data() + text.size() && value <= most;
    return good ? std::optional(value) : std::nullopt;
}

std::optional<std::uint8_t> protocol_of(std::string_view word) {
    for (const auto& [name, protocol] : kProtocols) {
        if (word == name) {
            return protocol;
        }
    }
    return word.substr(0, 2) == "ip" ? number<std::uint8_t>(word.substr(2), 255) : std::nullopt;
}

struct End {
    std::array<std::uint8_t, 16> address{};
    std::uint16_t port = 0;  ///< network order
    bool v6 = false;
};

/// "192.0.2.1:80", "192.0.2.1", "[2001:db8::1]:80", "2001:db8::1"
std::optional<End> end_of(std::string_view word) {
    std::string_view address = word;
    std::string_view port;
    if (word.substr(0, 1) == "[") {
        const std::size_t close = word.find(']');
        if (close == std::string_view::npos) {
            return std::nullopt;
        }
        address = word.substr(1, close - 1);
        port = word.substr(close + 1);
        if (!port.empty() && port.front() != ':') {
            return std::nullopt;
        }
    } else if (std::count(word.begin(), word.end(), ':') == 1) {
        address = word.substr(0, word.find(':'));
        port = word.substr(word.find(':'));
    }
    if (address.find('/') != std::string_view::npos) {
        return std::nullopt;
    }
    const auto parsed = config::parse_prefix(address);
    const auto value =
        port.empty() ? std::uint16_t{0} : number<std::uint16_t>(port.substr(1), UINT16_MAX);
    if (!parsed || !value) {
        return std::nullopt;
    }
    return End{parsed->address, htons(*value), address.find(':') != std::string_view::npos};
}

std::string end_text(const End& end) {
    const std::string address = address_text(end.address, end.v6 ? 6 : 4);
    return (end.v6 ? "[" + address + "]" : address) + ":" + std::to_string(ntohs(end.port));
}

tl::unexpected<Error> no_flow(std::string_view text) {
    return fail(
        {},
        "FLOW",
        config::quote(text) + " is no flow",
        "as weirctl flows prints it, such as 'tcp 10.0.0.1:40000 > 192.0.2.1:443' or "
        "'udp [2001:db8::1]:53 > [2001:db8::2]:5353 vlan 5', or a flow's id");
}

}  // namespace

bool FlowName::matches(const dataplane::FlowKey& flow) const noexcept {
    return !id && flow.addr_lo == key.addr_lo && flow.addr_hi == key.addr_hi &&
           flow.port_lo == key.port_lo && flow.port_hi == key.port_hi && flow.proto == key.proto &&
           flow.ip_version == key.ip_version && (!vlan || flow.vlan == *vlan);
}

Result<FlowName> parse_flow_name(std::string_view text) {
    const auto parts = words(text);
    FlowName out;
    if (parts.size() == 1) {
        out.id = number<std::uint64_t>(parts[0], (std::uint64_t{1} << 53) - 1);
        out.text = parts[0];
        return out.id ? Result<FlowName>(std::move(out)) : no_flow(text);
    }
    if ((parts.size() != 3 && parts.size() != 5) || (parts.size() == 5 && parts[3] != "vlan")) {
        return no_flow(text);
    }
    const auto protocol = protocol_of(parts[0]);
    auto low = end_of(parts[1]);
    auto high = end_of(parts[2]);
    if (!protocol || !low || !high || low->v6 != high->v6) {
        return no_flow(text);
    }
    out.text = protocol_text(*protocol) + " " + end_text(*low) + " > " + end_text(*high);
    if (parts.size() == 5) {
        out.vlan = number<std::uint16_t>(parts[4], kMaxVlan);
        if (!out.vlan) {
            return no_flow(text);
        }
        out.text += " vlan " + std::to_string(*out.vlan);
    }
    const int order = std::memcmp(low->address.data(), high->address.data(), low->address.size());
    if (order > 0 || (order == 0 && ntohs(low->port) > ntohs(high->port))) {
        std::swap(low, high);
    }
    out.key.addr_lo = low->address;
    out.key.addr_hi = high->address;
    out.key.port_lo = low->port;
    out.key.port_hi = high->port;
    out.key.proto = *protocol;
    out.key.ip_version = low->v6 ? 6 : 4;
    return out;
}

std::string protocol_text(std::uint8_t protocol) {
    for (const auto& [name, number] : kProtocols) {
        if (protocol == number) {
            return std::string(name);
        }
    }
    return "ip" + std::to_string(protocol);
}

std::string address_text(const std::array<std::uint8_t, 16>& address, std::uint8_t ip_version) {
    constexpr std::size_t kMappedBytes = 12;
    std::array<char, INET6_ADDRSTRLEN> text{};
    const bool v4 = ip_version == 4;
    (void)::inet_ntop(
        v4 ? AF_INET : AF_INET6,
        address.data() + (v4 ? kMappedBytes : 0),
        text.data(),
        text.size());
    return text.data();
}

std::string flow_text(const dataplane::FlowRecord& record) {
    const dataplane::FlowKey& key = record.key;
    const bool v6 = key.ip_version != 4;
    const End low{key.addr_lo, key.port_lo, v6};
    const End high{key.addr_hi, key.port_hi, v6};
    const bool hi = record.initiator_is_hi;
    return protocol_text(key.proto) + " " + end_text(hi ? high : low) + " > " +
           end_text(hi ? low : high) + (key.vlan == 0 ? "" : " vlan " + std::to_string(key.vlan));
}

}  // namespace weir::control
