// SPDX-License-Identifier: BSD-3-Clause
// IPv4 and IPv6, fragments, transports.
#include "tests/packets/fixtures.h"

namespace weir::test {

namespace {

const std::vector<Fixture> kIp{
    {"ipv4 options",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800,
             ip4({.src = e.src4, .dst = e.dst4, .tos = tos, .options = Bytes(40, 1)},
                 tcp({.src = e.src_port, .dst = e.dst_port}, text(9))));
     },
     {.l4 = 74, .ip_bytes = 89, .payload = 9, .options = true}},
    {"tcp options",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800,
             with4(
                 e,
                 tos,
                 6,
                 tcp({.src = e.src_port, .dst = e.dst_port, .options = Bytes(40, 1)}, text(2))));
     },
     {.ip_bytes = 82, .payload = 2}},
    {"udp length shorter than the packet",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800,
             with4(
                 e, tos, 17, udp({.src = e.src_port, .dst = e.dst_port, .length = 12}, text(20))));
     },
     {.proto = 17, .ip_bytes = 48, .payload = 20}},
    {"don't fragment",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800,
             ip4({.src = e.src4, .dst = e.dst4, .tos = tos, .fragment = 0x4000},
                 tcp({.src = e.src_port, .dst = e.dst_port}, text(9))));
     },
     {.ip_bytes = 49, .payload = 9}},
    {"first fragment",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800,
             ip4({.src = e.src4, .dst = e.dst4, .proto = 17, .tos = tos, .fragment = 0x2000},
                 udp({.src = e.src_port, .dst = e.dst_port, .length = 4000}, text(24))));
     },
     {.proto = 17, .ip_bytes = 52, .payload = 24, .fragment = true}},
    {"later fragment",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800,
             ip4({.src = e.src4, .dst = e.dst4, .proto = 17, .tos = tos, .fragment = 0x2004},
                 text(24)));
     },
     {.proto = 17,
      .ports = Ports::none,
      .l4 = 0,
      .ip_bytes = 44,
      .payload = 24,
      .fragment = true,
      .later = true}},
    {"last fragment of one byte",
     [](const Ends& e, std::uint8_t tos) {
         return padded(
             eth(0x0800,
                 ip4({.src = e.src4, .dst = e.dst4, .proto = 6, .tos = tos, .fragment = 0x0004},
                     text(1))));
     },
     {.ports = Ports::none,
      .l4 = 0,
      .ip_bytes = 21,
      .payload = 1,
      .fragment = true,
      .later = true}},
    {"ipv4, authentication header",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x0800,
             with4(e, tos, 51, ah(6, tcp({.src = e.src_port, .dst = e.dst_port}, text(3)))));
     },
     {.l4 = 58, .ip_bytes = 67, .payload = 3}},
    {"every ipv6 extension header",
     [](const Ends& e, std::uint8_t tos) {
         const Bytes segment = tcp({.src = e.src_port, .dst = e.dst_port}, text(3));
         return eth(
             0x86dd,
             with6(
                 e,
                 tos,
                 0,
                 ext(60,
                     1,
                     ext(43,
                         2,
                         ext(51, 3, ah(135, ext(139, 1, ext(140, 1, ext(6, 1, segment)))))))));
     },
     {.version = 6, .l4 = 150, .ip_bytes = 159, .payload = 3, .options = true}},
    {"ipv6 first fragment",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x86dd,
             with6(
                 e,
                 tos,
                 44,
                 fragment6(
                     17,
                     0,
                     true,
                     udp({.src = e.src_port, .dst = e.dst_port, .length = 3000}, text(16)))));
     },
     {.version = 6,
      .proto = 17,
      .l4 = 62,
      .ip_bytes = 72,
      .payload = 16,
      .fragment = true,
      .options = true}},
    {"ipv6 later fragment",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x86dd, with6(e, tos, 44, fragment6(17, 1232, false, text(16))));
     },
     {.version = 6,
      .proto = 17,
      .ports = Ports::none,
      .l4 = 0,
      .ip_bytes = 64,
      .payload = 16,
      .fragment = true,
      .later = true,
      .options = true}},
    {"ipv6 atomic fragment is none",
     [](const Ends& e, std::uint8_t tos) {
         return eth(
             0x86dd,
             with6(
                 e,
                 tos,
                 44,
                 fragment6(6, 0, false, tcp({.src = e.src_port, .dst = e.dst_port}, text(9)))));
     },
     {.version = 6, .l4 = 62, .ip_bytes = 77, .payload = 9, .options = true}},
    {"ipv6, no next header",
     [](const Ends& e, std::uint8_t tos) { return eth(0x86dd, with6(e, tos, 59, {})); },
     {.version = 6, .proto = 59, .ports = Ports::none, .l4 = 54, .ip_bytes = 40, .payload = 0}},
    {"ipv6, esp ends the chain",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x86dd, with6(e, tos, 60, ext(50, 1, text(40))));
     },
     {.version = 6,
      .proto = 50,
      .ports = Ports::none,
      .l4 = 62,
      .ip_bytes = 88,
      .payload = 40,
      .options = true}},
    {"igmp",
     [](const Ends& e, std::uint8_t tos) { return eth(0x0800, with4(e, tos, 2, text(8))); },
     {.proto = 2, .ports = Ports::none, .ip_bytes = 28, .payload = 8}},
    {"protocol without payload",
     [](const Ends& e, std::uint8_t tos) { return eth(0x0800, with4(e, tos, 253, {})); },
     {.proto = 253, .ports = Ports::none, .ip_bytes = 20, .payload = 0}},
    {"sctp",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x0800, with4(e, tos, 132, sctp(e.src_port, e.dst_port, text(16))));
     },
     {.proto = 132, .ip_bytes = 48, .payload = 16}},
    {"udp-lite",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x86dd, with6(e, tos, 136, udp_lite(e.src_port, e.dst_port, 8, text(5))));
     },
     {.version = 6, .proto = 136, .l4 = 54, .ip_bytes = 53, .payload = 5}},
    {"dccp, short sequence numbers",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x0800, with4(e, tos, 33, dccp(e.src_port, e.dst_port, false, text(5))));
     },
     {.proto = 33, .ip_bytes = 37, .payload = 5}},
    {"dccp, long sequence numbers",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x0800, with4(e, tos, 33, dccp(e.src_port, e.dst_port, true, text(5))));
     },
     {.proto = 33, .ip_bytes = 41, .payload = 5}},
    {"ping",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x0800, with4(e, tos, 1, icmp(8, 0, kEchoId, text(32))));
     },
     {.proto = 1, .ports = Ports::echo, .ip_bytes = 60, .payload = 32}},
    {"pong",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x0800, with4(e, tos, 1, icmp(0, 0, kEchoId, text(32))));
     },
     {.proto = 1, .ports = Ports::echo, .ip_bytes = 60, .payload = 32}},
    {"icmp error embeds someone else's packet",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x0800, with4(e, tos, 1, icmp(3, 3, kEchoId, tcp4(e, 0))));
     },
     {.proto = 1, .ports = Ports::none, .ip_bytes = 77, .payload = 49}},
    {"icmpv6 ping",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x86dd, with6(e, tos, 58, icmp(128, 0, kEchoId, text(8))));
     },
     {.version = 6, .proto = 58, .ports = Ports::echo, .l4 = 54, .ip_bytes = 56, .payload = 8}},
    {"icmpv6 neighbour solicitation",
     [](const Ends& e, std::uint8_t tos) {
         return eth(0x86dd, with6(e, tos, 58, icmp(135, 0, kEchoId, text(16))));
     },
     {.version = 6, .proto = 58, .ports = Ports::none, .l4 = 54, .ip_bytes = 64, .payload = 16}},
};

}  // namespace

std::span<const Fixture> ip_fixtures() {
    return kIp;
}

}  // namespace weir::test
