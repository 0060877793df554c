// SPDX-License-Identifier: BSD-3-Clause
// The keys of `shaping`.
#include "config/load.h"
#include "config/sections.h"

namespace weir::config {

namespace {

constexpr std::uint64_t kLeastKbps = 64;
constexpr std::uint64_t kMostKbps = 400'000'000;
constexpr std::uint64_t kLeastBurst = 1600;
constexpr std::uint64_t kMostBurst = 100'000'000;
constexpr std::uint64_t kMostPackets = 1U << 20U;
constexpr std::uint64_t kMaxVlan = 4094;

std::string same_text(const std::string& item) {
    return item;
}

std::string number_text(std::uint16_t number) {
    return std::to_string(number);
}

bool read_vlan(Context& context, const Node& node, const std::string& path, std::uint16_t& out) {
    std::uint64_t id = 0;
    if (!read_number(context, node, path, 1, kMaxVlan, id)) {
        return false;
    }
    out = static_cast<std::uint16_t>(id);
    return true;
}

template <typename T>
Key<T> rate(const char* text) {
    return {
        "rate_kbps",
        true,
        [](Context& context, const Node& node, const std::string& path, T& out) {
            std::uint64_t value = 0;
            if (read_number(context, node, path, kLeastKbps, kMostKbps, value)) {
                out.rate_kbps = static_cast<std::uint32_t>(value);
            }
        },
        [=](const std::string& path, const T& /*d*/, std::vector<KeyDoc>& out) {
            const std::string type =
                std::to_string(kLeastKbps) + " to " + std::to_string(kMostKbps);
            out.push_back({path, type, "required", text});
        }};
}

const Section<ShapedPort>& shaped_port_section() {
    static const Section<ShapedPort> section{
        word("port", &ShapedPort::port, read_text, "port", "Whose egress is shaped.", true),
        rate<ShapedPort>(
            "Rate in kb/s of whole frames; a little below the bottleneck behind it, so "
            "that packets wait here."),
        number(
            "burst_bytes",
            &ShapedPort::burst_bytes,
            kLeastBurst,
            kMostBurst,
            "What may leave at once after a pause.")};
    return section;
}

const Section<ShapedQueue>& queue_section() {
    static const Section<ShapedQueue> section{
        word("name", &ShapedQueue::name, read_text, "name", "For metrics and messages.", true),
        number(
            "weight",
            &ShapedQueue::weight,
            0,
            255,
            "0: strict, served before all queues after it (at most 12, first in the list). Else "
            "its part of what the strict ones leave (at most 4)."),
        list(
            "classes",
            &ShapedQueue::classes,
            read_text,
            same_text,
            "list of classes",
            "Packets of flows whose class in `shaping.slot` is one of these."),
        list(
            "dscp",
            &ShapedQueue::dscp,
            read_dscp,
            dscp_name,
            "list of DSCPs",
            "Of the packets that no class places, those that leave with one of these."),
        Key<ShapedQueue>{
            "max_share",
            false,
            [](Context& context, const Node& node, const std::string& path, ShapedQueue& out) {
                read_share(context, node, path, out.max_share);
            },
            [](const std::string& path, const ShapedQueue& /*d*/, std::vector<KeyDoc>& out) {
                out.push_back(
                    {path,
                     "0 to 1",
                     "1",
                     "Most of the rate that a strict queue gets, so that it cannot starve the "
                     "others."});
            }},
        flag(
            "otherwise",
            &ShapedQueue::otherwise,
            "Takes what nothing else places. One weighted queue; the first, if none says so.")};
    return section;
}

const Section<Subscriber>& subscriber_section() {
    static const Section<Subscriber> section{
        word("name", &Subscriber::name, read_text, "name", "For messages.", true),
        rate<Subscriber>("Rate in kb/s of whole frames, at most the port's."),
        list(
            "prefixes",
            &Subscriber::prefixes,
            read_prefix,
            prefix_text,
            "list of prefixes",
            "Packets of which one end lies in one of these; of several subscribers the longest "
            "prefix."),
        list(
            "vlans",
            &Subscriber::vlans,
            read_vlan,
            number_text,
            "list of VLAN ids",
            "Packets of these VLANs, by the outermost id. Goes before `prefixes`.")};
    return section;
}

const Section<EarlyDetection>& red_section() {
    static const Section<EarlyDetection> section{
        number(
            "min_packets",
            &EarlyDetection::min_packets,
            0,
            1023,
            "Random early detection (RED): average length of a queue from which packets are marked "
            "or dropped. 0: off, queues drop when they are full."),
        number(
            "max_packets",
            &EarlyDetection::max_packets,
            0,
            1023,
            "Average length from which all are."),
        number(
            "one_in",
            &EarlyDetection::one_in,
            1,
            255,
            "Just below `max_packets`, of so many packets one is."),
        flag(
            "ecn",
            &EarlyDetection::ecn,
            "Packets of ECN-capable transports (RFC 3168) are marked instead of dropped.")};
    return section;
}

template <typename Item>
Key<Shaping> items(
    std::string name,
    std::vector<Item> Shaping::*member,
    const Section<Item>& (*section)(),
    std::string type,
    std::string text) {
    return {
        std::move(name),
        false,
        [=](Context& context, const Node& node, const std::string& path, Shaping& out) {
            if (!expect_list(context, node, path)) {
                return;
            }
            for (std::size_t i = 0; i < node.items.size(); ++i) {
                const std::string child = index_path(path, i);
                context.lines[child] = node.items[i].line;
                read_section(
                    context, node.items[i], child, section(), (out.*member).emplace_back());
            }
        },
        [=](const std::string& path, const Shaping& /*d*/, std::vector<KeyDoc>& out) {
            out.push_back({path, type, "[]", text});
            describe_section(path + "[]", section(), Item{}, out);
        }};
}

}  // namespace

const Section<Shaping>& shaping_section() {
    static const Section<Shaping> section{
        items<ShapedPort>(
            "ports",
            &Shaping::ports,
            shaped_port_section,
            "list of shaped ports",
            "Ports whose egress is scheduled. None: no packet waits. Needs a single worker."),
        word(
            "slot",
            &Shaping::slot,
            read_text,
            "slot",
            "Whose classes `shaping.queues[].classes` names."),
        items<ShapedQueue>(
            "queues",
            &Shaping::queues,
            queue_section,
            "list of queues",
            "Strict queues first, the most urgent one at the top, then weighted ones. Every "
            "subscriber has all of them."),
        number(
            "queue_packets",
            &Shaping::queue_packets,
            1,
            32768,
            "Longest queue; what comes when it is full is dropped (`shaper_full`)."),
        number(
            "max_packets",
            &Shaping::max_packets,
            64,
            kMostPackets,
            "Most packets that wait for one port, over all queues and subscribers; so many packet "
            "buffers more are reserved."),
        number(
            "frame_overhead_bytes",
            &Shaping::frame_overhead_bytes,
            0,
            256,
            "Counted beside each frame: 24 is Ethernet's preamble, FCS and gap."),
        group("red", &Shaping::red, red_section),
        items<Subscriber>(
            "subscribers",
            &Shaping::subscribers,
            subscriber_section,
            "list of subscribers",
            "At most 4095, each with the queues and a rate of its own on every shaped port. All "
            "others share one set of queues at the port's rate.")};
    return section;
}

}  // namespace weir::config
