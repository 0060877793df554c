// SPDX-License-Identifier: BSD-3-Clause
// Packets that look like tunnels but have no inner packet: the outer flow counts.
#include "tests/packets/fixtures.h"

namespace weir::test {

namespace {

// Between equal ports, so that either direction looks like the tunnel.
[[nodiscard]] Bytes datagram(
    const Ends& ends, std::uint8_t tos, std::uint16_t port, const Bytes& payload) {
    return eth(0x0800, with4(ends, tos, 17, udp({.src = port, .dst = port}, payload)));
}

[[nodiscard]] Bytes gre_packet(const Ends& ends, std::uint8_t tos, const Bytes& payload) {
    return eth(0x0800, with4(ends, tos, 47, payload));
}

const std::vector<Fixture> kFallback{
    {"gre with arp within",
     [](const Ends& e, std::uint8_t tos) {
         return gre_packet(e, tos, gre({.type = 0x6558, .key = 4}, eth(0x0806, text(28))));
     },
     {.proto = 47, .ports = Ports::none, .ip_bytes = 70, .payload = 50}},
    {"gre with a broken packet within",
     [](const Ends& e, std::uint8_t tos) {
         return gre_packet(
             e, tos, gre({.key = 4}, ip4({.tos = kInnerTos, .total_length = 10}, text(20))));
     },
     {.proto = 47, .ports = Ports::none, .ip_bytes = 68, .payload = 48}},
    {"gre with a packet longer than it",
     [](const Ends& e, std::uint8_t tos) {
         return gre_packet(e, tos, gre({}, ip4({.total_length = 1500}, tcp({}, {}))));
     },
     {.proto = 47, .ports = Ports::none, .ip_bytes = 64, .payload = 44}},
    {"gre with routing",
     [](const Ends& e, std::uint8_t tos) {
         return gre_packet(e, tos, gre({.extra_flags = 0x4000}, tcp4({}, 0)));
     },
     {.proto = 47, .ports = Ports::none, .ip_bytes = 73, .payload = 53}},
    {"pptp without data",
     [](const Ends& e, std::uint8_t tos) {
         return gre_packet(
             e, tos, gre({.type = 0x880b, .key = 0x00100001, .extra_flags = 1}, text(16)));
     },
     {.proto = 47, .ports = Ports::none, .ip_bytes = 44, .payload = 24}},
    {"pptp, encrypted",
     [](const Ends& e, std::uint8_t tos) {
         return gre_packet(e, tos, pptp(5, false, join({{0x00, 0xfd}, text(18)})));
     },
     {.proto = 47, .ports = Ports::none, .ip_bytes = 52, .payload = 32}},
    {"pptp longer than its packet",
     [](const Ends& e, std::uint8_t tos) {
         Bytes payload = pptp(5, false, join({{0x00, 0x21}, tcp4({}, 0)}));
         payload[5] += 1;
         return gre_packet(e, tos, payload);
     },
     {.proto = 47, .ports = Ports::none, .ip_bytes = 83, .payload = 63}},
    {"gre that ends within its header",
     [](const Ends& e, std::uint8_t tos) {
         return gre_packet(e, tos, {0x20, 0, 8, 0, 1, 2});
     },
     {.proto = 47, .ports = Ports::none, .ip_bytes = 26, .payload = 6}},
    {"empty gre",
     [](const Ends& e, std::uint8_t tos) { return gre_packet(e, tos, {}); },
     {.proto = 47, .ports = Ports::none, .ip_bytes = 20, .payload = 0}},
    {"erspan of another version",
     [](const Ends& e, std::uint8_t tos) {
         return gre_packet(
             e, tos, gre({.type = 0x22eb, .sequence = 1}, erspan2(1, eth(0x0800, tcp4({}, 0)))));
     },
     {.proto = 47, .ports = Ports::none, .ip_bytes = 99, .payload = 79}},
    {"ip in ip with something else within",
     [](const Ends& e, std::uint8_t tos) { return eth(0x0800, with4(e, tos, 4, tcp6({}, 0))); },
     {.proto = 4, .ports = Ports::none, .ip_bytes = 89, .payload = 69}},
    {"vxlan with arp within",
     [](const Ends& e, std::uint8_t tos) {
         return datagram(e, tos, 4789, vxlan(4, eth(0x0806, text(28))));
     },
     {.proto = 17, .ports = Ports::fixed, .port = 4789, .ip_bytes = 78, .payload = 50}},
    {"vxlan without a vni",
     [](const Ends& e, std::uint8_t tos) {
         return datagram(e, tos, 4789, vxlan(4, eth(0x0800, tcp4({}, 0)), 0));
     },
     {.proto = 17, .ports = Ports::fixed, .port = 4789, .ip_bytes = 99, .payload = 71}},
    {"vxlan with a tag and no more",
     [](const Ends& e, std::uint8_t tos) {
         return datagram(e, tos, 4789, vxlan(4, eth(0x8100, {0x00, 0x05})));
     },
     {.proto = 17, .ports = Ports::fixed, .port = 4789, .ip_bytes = 52, .payload = 24}},
    {"vxlan, packet behind the udp length",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800,
             with4(
                 e,
                 tos,
                 17,
                 udp({.src = 4789, .dst = 4789, .length = 16},
                     vxlan(4, eth(0x0800, tcp4({}, 0))))));
     },
     {.proto = 17, .ports = Ports::fixed, .port = 4789, .ip_bytes = 99, .payload = 71}},
    {"too short for vxlan",
     [](const Ends& e, std::uint8_t tos) { return datagram(e, tos, 4789, text(7)); },
     {.proto = 17, .ports = Ports::fixed, .port = 4789, .ip_bytes = 35, .payload = 7}},
    {"geneve of a later version",
     [](const Ends& e, std::uint8_t tos) {
         Bytes payload = geneve(5, 0x0800, 0, tcp4({}, 0));
         payload[0] |= 0x40;
         return datagram(e, tos, 6081, payload);
     },
     {.proto = 17, .ports = Ports::fixed, .port = 6081, .ip_bytes = 85, .payload = 57}},
    {"geneve control packet",
     [](const Ends& e, std::uint8_t tos) {
         Bytes payload = geneve(5, 0x0800, 0, tcp4({}, 0));
         payload[1] |= 0x80;
         return datagram(e, tos, 6081, payload);
     },
     {.proto = 17, .ports = Ports::fixed, .port = 6081, .ip_bytes = 85, .payload = 57}},
    {"geneve options longer than it",
     [](const Ends& e, std::uint8_t tos) {
         Bytes payload = geneve(5, 0x0800, 0, text(20));
         payload[0] = 0x3f;
         return datagram(e, tos, 6081, payload);
     },
     {.proto = 17, .ports = Ports::fixed, .port = 6081, .ip_bytes = 56, .payload = 28}},
    {"gtp-u echo",
     [](const Ends& e, std::uint8_t tos) {
         return datagram(e, tos, 2152, gtp({.message = 1, .sequence = true}, {}));
     },
     {.proto = 17, .ports = Ports::fixed, .port = 2152, .ip_bytes = 40, .payload = 12}},
    {"gtp-u with no ip within",
     [](const Ends& e, std::uint8_t tos) {
         return datagram(e, tos, 2152, gtp({.teid = 9}, Bytes(30, 0xff)));
     },
     {.proto = 17, .ports = Ports::fixed, .port = 2152, .ip_bytes = 66, .payload = 38}},
    {"gtp-u longer than its datagram",
     [](const Ends& e, std::uint8_t tos) {
         Bytes payload = gtp({.teid = 9}, tcp4({}, 0));
         payload[3] += 1;
         return datagram(e, tos, 2152, payload);
     },
     {.proto = 17, .ports = Ports::fixed, .port = 2152, .ip_bytes = 85, .payload = 57}},
    {"gtp-u extension header of length 0",
     [](const Ends& e, std::uint8_t tos) {
         Bytes payload = gtp({.teid = 9, .extensions = {1}}, tcp4({}, 0));
         payload[12] = 0;
         return datagram(e, tos, 2152, payload);
     },
     {.proto = 17, .ports = Ports::fixed, .port = 2152, .ip_bytes = 93, .payload = 65}},
    {"something else on teredo's port",
     [](const Ends& e, std::uint8_t tos) {
         return datagram(e, tos, 3544, join({tcp6({}, 0), {0}}));
     },
     {.proto = 17, .ports = Ports::fixed, .port = 3544, .ip_bytes = 98, .payload = 70}},
    {"teredo authentication longer than it",
     [](const Ends& e, std::uint8_t tos) {
         return datagram(e, tos, 3544, {0, 1, 200, 200, 1, 2, 3, 4});
     },
     {.proto = 17, .ports = Ports::fixed, .port = 3544, .ip_bytes = 36, .payload = 8}},
    {"a fragment of a tunnel",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800,
             ip4({.src = e.src4, .dst = e.dst4, .proto = 47, .tos = tos, .fragment = 0x2000},
                 gre({.key = 4}, tcp4({}, 0, 3))));
     },
     {.proto = 47, .ports = Ports::none, .ip_bytes = 71, .payload = 51, .fragment = true}},
    {"encrypted tunnel",
     [](const Ends& e, std::uint8_t tos) { return eth(0x0800, with4(e, tos, 50, text(60))); },
     {.proto = 50, .ports = Ports::none, .ip_bytes = 80, .payload = 60}},
};

}  // namespace

std::span<const Fixture> fallback_fixtures() {
    return kFallback;
}

}  // namespace weir::test
