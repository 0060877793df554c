// SPDX-License-Identifier: BSD-3-Clause
#include "tests/packets/fixtures.h"

namespace weir::test {

Bytes with4(const Ends& ends, std::uint8_t tos, std::uint8_t proto, const Bytes& payload) {
    return ip4({.src = ends.src4, .dst = ends.dst4, .proto = proto, .tos = tos}, payload);
}

Bytes with6(const Ends& ends, std::uint8_t tos, std::uint8_t next, const Bytes& payload) {
    return ip6({.src = ends.src6, .dst = ends.dst6, .next = next, .tos = tos}, payload);
}

Bytes tcp4(const Ends& ends, std::uint8_t tos, std::size_t payload) {
    return with4(ends, tos, 6, tcp({.src = ends.src_port, .dst = ends.dst_port}, text(payload)));
}

Bytes udp4(const Ends& ends, std::uint8_t tos, std::size_t payload) {
    return with4(ends, tos, 17, udp({.src = ends.src_port, .dst = ends.dst_port}, text(payload)));
}

Bytes tcp6(const Ends& ends, std::uint8_t tos, std::size_t payload) {
    return with6(ends, tos, 6, tcp({.src = ends.src_port, .dst = ends.dst_port}, text(payload)));
}

Bytes udp6(const Ends& ends, std::uint8_t tos, std::size_t payload) {
    return with6(ends, tos, 17, udp({.src = ends.src_port, .dst = ends.dst_port}, text(payload)));
}

Bytes outer4(std::uint8_t tos, std::uint8_t proto, const Bytes& payload) {
    return ip4({.src = kNear4, .dst = kFar4, .proto = proto, .tos = tos}, payload);
}

Bytes outer6(std::uint8_t tos, std::uint8_t next, const Bytes& payload) {
    return ip6({.src = kNear6, .dst = kFar6, .next = next, .tos = tos}, payload);
}

std::vector<Fixture> all_fixtures() {
    std::vector<Fixture> all;
    for (const auto part :
         {link_fixtures(), ip_fixtures(), tunnel_fixtures(), fallback_fixtures()}) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

}  // namespace weir::test
