// SPDX-License-Identifier: BSD-3-Clause
// Frames that are no part of a flow, and why.
#include "tests/packets/fixtures.h"

namespace weir::test {

namespace {

using dataplane::ParseResult;

[[nodiscard]] Bytes with_byte(Bytes frame, std::size_t at, std::uint8_t value) {
    frame.at(at) = value;
    return frame;
}

[[nodiscard]] Bytes cut(Bytes frame, std::size_t size) {
    frame.resize(size);
    return frame;
}

// `depth` packets, each within the next.
[[nodiscard]] Bytes nested(std::size_t depth) {
    Bytes packet = tcp4({}, 0);
    for (std::size_t n = 0; n < depth; ++n) {
        packet = outer4(0, 4, packet);
    }
    return eth(0x0800, packet);
}

[[nodiscard]] Bytes many_extensions(std::size_t count) {
    Bytes packet = ext(6, 1, tcp({}, {}));
    for (std::size_t n = 1; n < count; ++n) {
        packet = ext(60, 1, packet);
    }
    return eth(0x86dd, with6({}, 0, 60, packet));
}

const std::vector<Refused> kRefused{
    {"arp", ParseResult::other, padded(eth(0x0806, text(28)))},
    {"tagged arp", ParseResult::other, padded(eth(0x8100, vlan(4, 0x0806, text(28))))},
    {"lldp", ParseResult::other, eth(0x88cc, text(40))},
    {"spanning tree", ParseResult::other, padded(llc(text(35)))},
    {"unknown ethertype", ParseResult::other, eth(0xffff, text(60))},
    {"ethertype and no more", ParseResult::other, eth(0x0806, {})},
    {"macsec", ParseResult::other, eth(0x88e5, text(60))},
    {"pppoe discovery", ParseResult::other, padded(eth(0x8863, text(20)))},
    {"pppoe, lcp", ParseResult::other, padded(eth(0x8864, pppoe(1, 0xc021, text(10))))},
    {"pppoe, not session data",
     ParseResult::other,
     with_byte(eth(0x8864, pppoe(1, 0x0021, tcp4({}, 0))), 15, 0xa7)},
    {"mpls, associated channel",
     ParseResult::other,
     eth(0x8847, mpls({13}, join({be32(0x10000007), text(40)})))},
    {"mpls, pseudo-wire of something else",
     ParseResult::other,
     eth(0x8847, mpls({99}, join({be32(0), text(10)})))},
    {"mpls, pseudo-wire with a broken packet",
     ParseResult::other,
     eth(0x8847, mpls({99}, join({be32(0), eth(0x0800, text(30))})))},

    {"nothing", ParseResult::truncated, {}},
    {"half an ethernet header", ParseResult::truncated, cut(eth(0x0800, {}), 13)},
    {"half a tag", ParseResult::truncated, eth(0x8100, {0x00})},
    {"tag without ethertype", ParseResult::truncated, eth(0x8100, {0x00, 0x05})},
    {"no ip header", ParseResult::truncated, eth(0x0800, {})},
    {"half an ipv4 header", ParseResult::truncated, cut(eth(0x0800, tcp4({}, 0)), 33)},
    {"half an ipv6 header", ParseResult::truncated, cut(eth(0x86dd, tcp6({}, 0)), 53)},
    {"a byte short", ParseResult::truncated, cut(eth(0x0800, tcp4({}, 0, 10)), 63)},
    {"a byte short, ipv6", ParseResult::truncated, cut(eth(0x86dd, udp6({}, 0, 10)), 71)},
    {"tcp header cut", ParseResult::truncated, cut(eth(0x0800, tcp4({}, 0, 10)), 40)},
    {"half a label", ParseResult::truncated, eth(0x8847, {0, 0, 1})},
    {"labels without bottom", ParseResult::truncated, eth(0x8847, {0, 1, 0, 64})},
    {"labels and no more", ParseResult::truncated, eth(0x8847, mpls({5}, {}))},
    {"half a control word", ParseResult::truncated, eth(0x8847, mpls({5}, {0, 0, 0}))},
    {"half a pppoe header", ParseResult::truncated, eth(0x8864, {0x11, 0, 0, 1, 0, 9, 0})},
    {"a byte short, pppoe",
     ParseResult::truncated,
     cut(eth(0x8864, pppoe(1, 0x0021, tcp4({}, 0))), 70)},

    {"ethertype says ipv4, packet ipv6", ParseResult::malformed, eth(0x0800, tcp6({}, 0))},
    {"ethertype says ipv6, packet ipv4", ParseResult::malformed, eth(0x86dd, tcp4({}, 0))},
    {"ihl of 4 words", ParseResult::malformed, with_byte(eth(0x0800, tcp4({}, 0)), 14, 0x44)},
    {"total length 0",
     ParseResult::malformed,
     eth(0x0800, ip4({.total_length = 0}, tcp({}, text(20))))},
    {"total length shorter than the header",
     ParseResult::malformed,
     eth(0x0800, ip4({.options = Bytes(8, 1), .total_length = 27}, tcp({}, {})))},
    {"packet ends within tcp",
     ParseResult::malformed,
     eth(0x0800, ip4({.total_length = 39}, tcp({}, text(20))))},
    {"packet ends within udp",
     ParseResult::malformed,
     padded(eth(0x0800, ip4({.proto = 17, .total_length = 27}, udp({}, {}))))},
    {"packet ends within icmp",
     ParseResult::malformed,
     padded(eth(0x0800, with4({}, 0, 1, text(7))))},
    {"packet ends within sctp",
     ParseResult::malformed,
     padded(eth(0x0800, with4({}, 0, 132, text(11))))},
    {"ipv6 packet ends within tcp",
     ParseResult::malformed,
     eth(0x86dd, ip6({.payload_length = 19}, tcp({}, text(20))))},
    {"ipv6 packet ends before tcp",
     ParseResult::malformed,
     eth(0x86dd, ip6({.payload_length = 0}, tcp({}, text(20))))},
    {"tcp data offset of 4 words",
     ParseResult::malformed,
     eth(0x0800, ip4({}, tcp({.data_offset = 4}, text(20))))},
    {"tcp data offset beyond the packet",
     ParseResult::malformed,
     eth(0x0800, ip4({}, tcp({.data_offset = 15}, text(39))))},
    {"udp length of 7",
     ParseResult::malformed,
     eth(0x0800, ip4({.proto = 17}, udp({.length = 7}, text(20))))},
    {"udp length beyond the packet",
     ParseResult::malformed,
     padded(eth(0x0800, ip4({.proto = 17}, udp({.length = 29}, text(20)))), 80)},
    {"udp length beyond the ipv6 packet",
     ParseResult::malformed,
     padded(eth(0x86dd, ip6({.next = 17}, udp({.length = 29}, text(20)))), 120)},
    {"udp-lite coverage within its header",
     ParseResult::malformed,
     eth(0x0800, ip4({.proto = 136}, udp_lite(1, 2, 7, text(20))))},
    {"udp-lite coverage beyond the packet",
     ParseResult::malformed,
     eth(0x0800, ip4({.proto = 136}, udp_lite(1, 2, 29, text(20))))},
    {"dccp data offset within its header",
     ParseResult::malformed,
     with_byte(eth(0x0800, ip4({.proto = 33}, dccp(1, 2, true, text(4)))), 38, 3)},
    {"dccp data offset beyond the packet",
     ParseResult::malformed,
     with_byte(eth(0x0800, ip4({.proto = 33}, dccp(1, 2, true, text(4)))), 38, 6)},
    {"tiny first fragment",
     ParseResult::malformed,
     padded(eth(0x0800, ip4({.fragment = 0x2000}, text(16))))},
    {"ping of death",
     ParseResult::malformed,
     eth(0x0800, ip4({.proto = 1, .fragment = 0x1ffe}, text(40)))},
    {"ipv6 ping of death",
     ParseResult::malformed,
     eth(0x86dd, ip6({.next = 44}, fragment6(58, 0xfff8, false, text(40))))},
    {"ipv6 extension header beyond the packet",
     ParseResult::malformed,
     padded(eth(0x86dd, ip6({.next = 60}, with_byte(ext(6, 1, text(8)), 1, 2))), 200)},
    {"ipv6 packet ends within a fragment header",
     ParseResult::malformed,
     padded(eth(0x86dd, ip6({.next = 44}, text(7))), 80)},
    {"authentication header of 8 bytes",
     ParseResult::malformed,
     eth(0x86dd, ip6({.next = 51}, with_byte(ah(6, tcp({}, {})), 1, 0)))},
    {"pppoe of another version",
     ParseResult::malformed,
     with_byte(eth(0x8864, pppoe(1, 0x0021, tcp4({}, 0))), 14, 0x21)},
    {"pppoe without a protocol",
     ParseResult::malformed,
     with_byte(padded(eth(0x8864, pppoe(1, 0x0021, {}))), 19, 1)},
    {"ip longer than pppoe",
     ParseResult::malformed,
     padded(eth(0x8864, pppoe(1, 0x0021, ip4({.total_length = 50}, tcp({}, text(9))))), 100)},

    {"five tags",
     ParseResult::unsupported,
     eth(0x88a8,
         vlan(
             1,
             0x8100,
             vlan(2, 0x8100, vlan(3, 0x8100, vlan(4, 0x8100, vlan(5, 0x0800, tcp4({}, 0)))))))},
    {"nine labels",
     ParseResult::unsupported,
     eth(0x8847, mpls({1, 2, 3, 4, 5, 6, 7, 8, 9}, tcp4({}, 0)))},
    {"nine extension headers", ParseResult::unsupported, many_extensions(9)},
    {"five encapsulations", ParseResult::unsupported, nested(5)},
    {"header beyond the reach of parse",
     ParseResult::unsupported,
     eth(0x86dd, ip6({.next = 60}, ext(6, 60, tcp({}, text(100)))))},
};

}  // namespace

std::span<const Refused> refused_packets() {
    return kRefused;
}

}  // namespace weir::test
