// SPDX-License-Identifier: BSD-3-Clause
// Ethernet, VLAN tags, MPLS, PPPoE.
#include "tests/packets/fixtures.h"

namespace weir::test {

namespace {

const std::vector<Fixture> kLink{
    {"ethernet, ipv4, tcp",
     [](const Ends& e, std::uint8_t tos) { return eth(0x0800, tcp4(e, tos, 100)); },
     {.ip_bytes = 140, .payload = 100}},
    {"padding is no payload",
     [](const Ends& e, std::uint8_t tos) { return padded(eth(0x0800, tcp4(e, tos, 0))); },
     {.ip_bytes = 40, .payload = 0}},
    {"padding behind udp",
     [](const Ends& e, std::uint8_t tos) { return padded(eth(0x0800, udp4(e, tos, 3))); },
     {.proto = 17, .ip_bytes = 31, .payload = 3}},
    {"udp without payload and without padding",
     [](const Ends& e, std::uint8_t tos) { return eth(0x0800, udp4(e, tos, 0)); },
     {.proto = 17, .ip_bytes = 28, .payload = 0}},
    {"ethernet, ipv6, tcp",
     [](const Ends& e, std::uint8_t tos) { return eth(0x86dd, tcp6(e, tos, 30)); },
     {.version = 6, .l4 = 54, .ip_bytes = 90, .payload = 30}},
    {"ethernet, ipv6, udp, short",
     [](const Ends& e, std::uint8_t tos) { return eth(0x86dd, udp6(e, tos, 4)); },
     {.version = 6, .proto = 17, .l4 = 54, .ip_bytes = 52, .payload = 4}},
    {"ethernet, ipv6, udp",
     [](const Ends& e, std::uint8_t tos) { return eth(0x86dd, udp6(e, tos, 44)); },
     {.version = 6, .proto = 17, .l4 = 54, .ip_bytes = 92, .payload = 44}},
    {"one tag",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x8100, vlan(0xe00a, 0x0800, tcp4(e, tos)));
     },
     {.l3 = 18, .l4 = 38, .ip_bytes = 49, .payload = 9, .tags = 1, .vlan = 10}},
    {"one tag, ipv6, padded",
     [](const Ends& e, std::uint8_t tos) {
         return padded(eth(0x8100, vlan(0x0fff, 0x86dd, udp6(e, tos))), 100);
     },
     {.version = 6,
      .proto = 17,
      .l3 = 18,
      .l4 = 58,
      .ip_bytes = 57,
      .payload = 9,
      .tags = 1,
      .vlan = 4095}},
    {"priority tag",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x8100, vlan(0x6000, 0x0800, udp4(e, tos)));
     },
     {.proto = 17, .l3 = 18, .l4 = 38, .ip_bytes = 37, .payload = 9, .tags = 1}},
    {"qinq",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x88a8, vlan(100, 0x8100, vlan(200, 0x0800, udp4(e, tos, 50))));
     },
     {.proto = 17,
      .l3 = 22,
      .l4 = 42,
      .ip_bytes = 78,
      .payload = 50,
      .tags = 2,
      .vlan = 100,
      .inner_vlan = 200}},
    {"qinq before 802.1ad",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x9100, vlan(100, 0x8100, vlan(200, 0x0800, tcp4(e, tos))));
     },
     {.l3 = 22, .l4 = 42, .ip_bytes = 49, .payload = 9, .tags = 2, .vlan = 100, .inner_vlan = 200}},
    {"four tags",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x88a8,
             vlan(1, 0x88a8, vlan(2, 0x8100, vlan(3, 0x8100, vlan(4, 0x86dd, tcp6(e, tos))))));
     },
     {.version = 6,
      .l3 = 30,
      .l4 = 70,
      .ip_bytes = 69,
      .payload = 9,
      .tags = 4,
      .vlan = 1,
      .inner_vlan = 2}},
    {"mpls, ipv4",
     [](const Ends& e, std::uint8_t tos) { return eth(0x8847, mpls({16001}, tcp4(e, tos))); },
     {.l3 = 18, .l4 = 38, .ip_bytes = 49, .payload = 9}},
    {"mpls, eight labels, ipv6",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x8848, mpls({16, 17, 18, 19, 20, 21, 22, 0xfffff}, udp6(e, tos)));
     },
     {.version = 6, .proto = 17, .l3 = 46, .l4 = 86, .ip_bytes = 57, .payload = 9}},
    {"mpls, pseudo-wire with control word",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x8847,
             mpls({16001, 17}, join({be32(5), eth(0x8100, vlan(7, 0x0800, tcp4(e, tos)))})));
     },
     {.l3 = 44, .l4 = 64, .ip_bytes = 49, .payload = 9, .tags = 1, .vlan = 7}},
    {"vlan, mpls, pseudo-wire without control word",
     [](const Ends& e, std::uint8_t tos) {
         Bytes frame = eth(0x0800, tcp4(e, tos));
         frame[0] = 0x22;
         return eth(0x8100, vlan(9, 0x8847, mpls({33}, frame)));
     },
     {.l3 = 36, .l4 = 56, .ip_bytes = 49, .payload = 9, .tags = 1, .vlan = 9}},
    {"pppoe, ipv4",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x8864, pppoe(0x1234, 0x0021, tcp4(e, tos)));
     },
     {.l3 = 22, .l4 = 42, .ip_bytes = 49, .payload = 9, .tunnel = 0x1234}},
    {"pppoe, short protocol",
     [](const Ends& e, std::uint8_t tos) {
         const Bytes ppp = join({{0x21}, tcp4(e, tos)});
         return eth(
             0x8864, join({{0x11, 0, 0, 9}, be16(static_cast<std::uint32_t>(ppp.size())), ppp}));
     },
     {.l3 = 21, .l4 = 41, .ip_bytes = 49, .payload = 9, .tunnel = 9}},
    {"tag, pppoe, ipv6, padding",
     [](const Ends& e, std::uint8_t tos) {
         return padded(eth(0x8100, vlan(5, 0x8864, pppoe(7, 0x0057, udp6(e, tos)))), 120);
     },
     {.version = 6,
      .proto = 17,
      .l3 = 26,
      .l4 = 66,
      .ip_bytes = 57,
      .payload = 9,
      .tunnel = 7,
      .tags = 1,
      .vlan = 5}},
};

}  // namespace

std::span<const Fixture> link_fixtures() {
    return kLink;
}

}  // namespace weir::test
