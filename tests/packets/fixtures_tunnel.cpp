// SPDX-License-Identifier: BSD-3-Clause
// Tunnels over IP whose inner flow counts, and those of which the outer one does.
#include "tests/packets/fixtures.h"

namespace weir::test {

namespace {

[[nodiscard]] Bytes frame4(const Ends& ends) {
    return eth(0x0800, tcp4(ends, kInnerTos));
}

// UDP to a tunnel's port, the checksum over all of it: what marking must not break.
[[nodiscard]] Bytes to_port(std::uint16_t port, const Bytes& payload) {
    return udp({.src = 55555, .dst = port}, payload);
}

const std::vector<Fixture> kTunnels{
    {"ip in ip",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x0800, outer4(tos, 4, tcp4(e, kInnerTos)));
     },
     {.l3 = 34, .l4 = 54, .ip_bytes = 49, .payload = 9, .outer_l3 = 14}},
    {"6in4",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x0800, outer4(tos, 41, udp6(e, kInnerTos)));
     },
     {.version = 6, .proto = 17, .l3 = 34, .l4 = 74, .ip_bytes = 57, .payload = 9, .outer_l3 = 14}},
    {"4in6 behind a destination option",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x86dd, outer6(tos, 60, ext(4, 1, tcp4(e, kInnerTos))));
     },
     {.l3 = 62, .l4 = 82, .ip_bytes = 49, .payload = 9, .outer_l3 = 14}},
    {"segment routing, ethernet",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x86dd, outer6(tos, 43, ext(143, 3, frame4(e))));
     },
     {.l3 = 92, .l4 = 112, .ip_bytes = 49, .payload = 9, .outer_l3 = 14}},
    {"gre without a key",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x0800, outer4(tos, 47, gre({}, tcp4(e, kInnerTos))));
     },
     {.l3 = 38, .l4 = 58, .ip_bytes = 49, .payload = 9, .outer_l3 = 14}},
    {"gre with checksum, key and sequence",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x8100,
             vlan(
                 77,
                 0x0800,
                 outer4(
                     tos,
                     47,
                     gre({.type = 0x86dd, .key = 0xdeadbeef, .sequence = 1, .checksum = true},
                         tcp6(e, kInnerTos)))));
     },
     {.version = 6,
      .l3 = 54,
      .l4 = 94,
      .ip_bytes = 69,
      .payload = 9,
      .outer_l3 = 18,
      .tunnel = 0xdeadbeef,
      .tags = 1,
      .vlan = 77}},
    {"gre, ethernet",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x86dd,
             outer6(
                 tos,
                 47,
                 gre({.type = 0x6558, .key = 9},
                     eth(0x8100, vlan(3, 0x0800, udp4(e, kInnerTos))))));
     },
     {.proto = 17,
      .l3 = 80,
      .l4 = 100,
      .ip_bytes = 37,
      .payload = 9,
      .outer_l3 = 14,
      .tunnel = 9,
      .tags = 1,
      .vlan = 3}},
    {"gre, mpls",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800, outer4(tos, 47, gre({.type = 0x8847}, mpls({100}, tcp4(e, kInnerTos)))));
     },
     {.l3 = 42, .l4 = 62, .ip_bytes = 49, .payload = 9, .outer_l3 = 14}},
    {"mpls in ip",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x86dd, outer6(tos, 137, mpls({100, 101}, tcp4(e, kInnerTos))));
     },
     {.l3 = 62, .l4 = 82, .ip_bytes = 49, .payload = 9, .outer_l3 = 14}},
    {"mpls in udp",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x0800, outer4(tos, 17, to_port(6635, mpls({100}, udp6(e, kInnerTos)))));
     },
     {.version = 6, .proto = 17, .l3 = 46, .l4 = 86, .ip_bytes = 57, .payload = 9, .outer_l3 = 14}},
    {"gre, ppp",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800, outer4(tos, 47, gre({.type = 0x880b}, join({{0x21}, tcp4(e, kInnerTos)}))));
     },
     {.l3 = 39, .l4 = 59, .ip_bytes = 49, .payload = 9, .outer_l3 = 14}},
    {"pptp",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800,
             outer4(tos, 47, pptp(5, false, join({{0xff, 0x03, 0x00, 0x21}, tcp4(e, kInnerTos)}))));
     },
     {.l3 = 50, .l4 = 70, .ip_bytes = 49, .payload = 9, .outer_l3 = 14}},
    {"pptp with acknowledgment and short ppp",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x0800, outer4(tos, 47, pptp(5, true, join({{0x57}, tcp6(e, kInnerTos)}))));
     },
     {.version = 6, .l3 = 51, .l4 = 91, .ip_bytes = 69, .payload = 9, .outer_l3 = 14}},
    {"erspan, type 1",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x0800, outer4(tos, 47, gre({.type = 0x88be}, frame4(e))));
     },
     {.l3 = 52, .l4 = 72, .ip_bytes = 49, .payload = 9, .outer_l3 = 14}},
    {"erspan, type 2",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800,
             outer4(tos, 47, gre({.type = 0x88be, .sequence = 4}, erspan2(0x155, frame4(e)))));
     },
     {.l3 = 64, .l4 = 84, .ip_bytes = 49, .payload = 9, .outer_l3 = 14, .tunnel = 0x155}},
    {"erspan, type 3",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800,
             outer4(
                 tos, 47, gre({.type = 0x22eb, .sequence = 4}, erspan3(0x3ff, true, frame4(e)))));
     },
     {.l3 = 76, .l4 = 96, .ip_bytes = 49, .payload = 9, .outer_l3 = 14, .tunnel = 0x3ff}},
    {"vxlan",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x0800, outer4(tos, 17, to_port(4789, vxlan(0xabcdef, frame4(e)))));
     },
     {.l3 = 64, .l4 = 84, .ip_bytes = 49, .payload = 9, .outer_l3 = 14, .tunnel = 0xabcdef}},
    {"vlan, ipv6, vxlan, vlan, ipv6",
     [](const Ends& e, std::uint8_t tos) {
         const Bytes inner = eth(0x8100, vlan(22, 0x86dd, tcp6(e, kInnerTos)));
         return eth(0x8100, vlan(11, 0x86dd, outer6(tos, 17, to_port(4789, vxlan(1, inner)))));
     },
     {.version = 6,
      .l3 = 92,
      .l4 = 132,
      .ip_bytes = 69,
      .payload = 9,
      .outer_l3 = 18,
      .tunnel = 1,
      .tags = 2,
      .vlan = 11,
      .inner_vlan = 22}},
    {"geneve with options, ethernet",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x0800, outer4(tos, 17, to_port(6081, geneve(0x010203, 0x6558, 3, frame4(e)))));
     },
     {.l3 = 76, .l4 = 96, .ip_bytes = 49, .payload = 9, .outer_l3 = 14, .tunnel = 0x010203}},
    {"geneve, ipv4",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800, outer4(tos, 17, to_port(6081, geneve(5, 0x0800, 0, udp4(e, kInnerTos)))));
     },
     {.proto = 17, .l3 = 50, .l4 = 70, .ip_bytes = 37, .payload = 9, .outer_l3 = 14, .tunnel = 5}},
    {"gtp-u",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800, outer4(tos, 17, to_port(2152, gtp({.teid = 0x89abcdef}, tcp4(e, kInnerTos)))));
     },
     {.l3 = 50, .l4 = 70, .ip_bytes = 49, .payload = 9, .outer_l3 = 14, .tunnel = 0x89abcdef}},
    {"gtp-u with a sequence number, ipv6",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800,
             outer4(
                 tos, 17, to_port(2152, gtp({.teid = 3, .sequence = true}, tcp6(e, kInnerTos)))));
     },
     {.version = 6, .l3 = 54, .l4 = 94, .ip_bytes = 69, .payload = 9, .outer_l3 = 14, .tunnel = 3}},
    {"gtp-u with extension headers",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800,
             outer4(
                 tos,
                 17,
                 to_port(2152, gtp({.teid = 3, .extensions = {1, 2, 1}}, tcp4(e, kInnerTos)))));
     },
     {.l3 = 70, .l4 = 90, .ip_bytes = 49, .payload = 9, .outer_l3 = 14, .tunnel = 3}},
    {"teredo",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x0800, outer4(tos, 17, to_port(3544, tcp6(e, kInnerTos))));
     },
     {.version = 6, .l3 = 42, .l4 = 82, .ip_bytes = 69, .payload = 9, .outer_l3 = 14}},
    {"teredo with authentication and origin, from the server",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800,
             outer4(
                 tos,
                 17,
                 udp({.src = 3544, .dst = 55555},
                     join({teredo_authentication(2, 3), teredo_origin(), udp6(e, kInnerTos)}))));
     },
     {.version = 6,
      .proto = 17,
      .l3 = 68,
      .l4 = 108,
      .ip_bytes = 57,
      .payload = 9,
      .outer_l3 = 14}},
    {"four encapsulations",
     [](const Ends& e, std::uint8_t tos) {
         const Bytes gre_packet = outer4(0, 47, gre({.key = 6}, tcp4(e, kInnerTos)));
         const Bytes gtp_packet = outer6(0, 17, to_port(2152, gtp({.teid = 5}, gre_packet)));
         const Bytes vxlan_packet =
             outer4(tos, 17, to_port(4789, vxlan(4, eth(0x86dd, gtp_packet))));
         return eth(0x8864, pppoe(3, 0x0021, vxlan_packet));
     },
     {.l3 = 156, .l4 = 176, .ip_bytes = 49, .payload = 9, .outer_l3 = 22, .tunnel = 6}},
    {"an inner fragment",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800,
             outer4(
                 tos,
                 4,
                 ip4({.src = e.src4, .dst = e.dst4, .proto = 6, .tos = kInnerTos, .fragment = 9},
                     text(32))));
     },
     {.ports = Ports::none,
      .l3 = 34,
      .l4 = 0,
      .ip_bytes = 52,
      .payload = 32,
      .outer_l3 = 14,
      .fragment = true,
      .later = true}},
};

}  // namespace

std::span<const Fixture> tunnel_fixtures() {
    return kTunnels;
}

}  // namespace weir::test
