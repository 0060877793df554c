// SPDX-License-Identifier: BSD-3-Clause
#include "tests/packets/packet_builder.h"

#include <algorithm>

namespace weir::test {

namespace {

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmp6 = 58;

void put16(Bytes& bytes, std::size_t at, std::uint32_t value) {
    bytes.at(at) = static_cast<std::uint8_t>(value >> 8U);
    bytes.at(at + 1) = static_cast<std::uint8_t>(value);
}

// Fills a transport checksum in, over the pseudo header of `addresses`.
void fill_checksum(Bytes& l4, std::uint8_t proto, const Bytes& addresses) {
    std::size_t at = 0;
    if (proto == kTcp && l4.size() >= 20) {
        at = 16;
    } else if (proto == kUdp && l4.size() >= 8 && (l4[6] != 0 || l4[7] != 0)) {
        at = 6;
    } else if (proto == kIcmp6 && l4.size() >= 4) {
        at = 2;
    } else {
        return;
    }
    put16(l4, at, 0);
    const auto size = static_cast<std::uint32_t>(l4.size());
    const Bytes pseudo = join({addresses, be32(size), be32(proto)});
    std::uint32_t sum = ones_sum(pseudo.data(), pseudo.size());
    sum = ~std::uint32_t{ones_sum(l4.data(), l4.size(), sum)} & 0xffffU;
    put16(l4, at, sum == 0 ? 0xffffU : sum);
}

template <typename Address>
[[nodiscard]] Bytes both(const Address& src, const Address& dst) {
    Bytes out(src.begin(), src.end());
    out.insert(out.end(), dst.begin(), dst.end());
    return out;
}

}  // namespace

Bytes text(std::size_t size) {
    Bytes out(size);
    for (std::size_t i = 0; i < size; ++i) {
        out[i] = static_cast<std::uint8_t>(0xb1 + 7 * i);
    }
    return out;
}

Bytes join(std::initializer_list<Bytes> parts) {
    Bytes out;
    for (const Bytes& part : parts) {
        out.insert(out.end(), part.begin(), part.end());
    }
    return out;
}

Bytes be16(std::uint32_t value) {
    return {static_cast<std::uint8_t>(value >> 8U), static_cast<std::uint8_t>(value)};
}

Bytes be32(std::uint32_t value) {
    return join({be16(value >> 16U), be16(value)});
}

Bytes eth(std::uint16_t type, const Bytes& payload) {
    static const Bytes kMacs{0x02, 0, 0, 0, 0, 0x0b, 0x02, 0, 0, 0, 0, 0x0a};
    return join({kMacs, be16(type), payload});
}

Bytes llc(const Bytes& payload) {
    const Bytes body = join({{0x42, 0x42, 0x03}, payload});
    return eth(static_cast<std::uint16_t>(body.size()), body);
}

Bytes vlan(std::uint16_t tag, std::uint16_t type, const Bytes& payload) {
    return join({be16(tag), be16(type), payload});
}

Bytes mpls(std::initializer_list<std::uint32_t> labels, const Bytes& payload) {
    Bytes out;
    std::size_t left = labels.size();
    for (const std::uint32_t label : labels) {
        const std::uint32_t bottom = --left == 0 ? 0x100 : 0;
        out = join({out, be32(label << 12U | bottom | 64U)});
    }
    return join({out, payload});
}

Bytes pppoe(std::uint16_t session, std::uint16_t ppp, const Bytes& payload) {
    return join(
        {{0x11, 0x00},
         be16(session),
         be16(static_cast<std::uint32_t>(payload.size()) + 2),
         be16(ppp),
         payload});
}

Bytes padded(Bytes frame, std::size_t least) {
    frame.resize(std::max(frame.size(), least));
    return frame;
}

Bytes ip4(const Ip4& ip, const Bytes& payload) {
    Bytes body = payload;
    const Bytes addresses = both(ip.src, ip.dst);
    if ((ip.fragment & 0x3fffU) == 0) {
        fill_checksum(body, ip.proto, addresses);
    }
    const auto header_bytes = static_cast<std::uint32_t>(20 + ip.options.size());
    const auto total = static_cast<std::uint32_t>(header_bytes + body.size());
    Bytes out = join(
        {{static_cast<std::uint8_t>(0x40 | header_bytes / 4), ip.tos},
         be16(ip.total_length.value_or(static_cast<std::uint16_t>(total))),
         be16(0x1c46),
         be16(ip.fragment),
         {ip.ttl, ip.proto},
         be16(0),
         addresses,
         ip.options});
    put16(out, 10, ip4_checksum(out.data()));
    return join({out, body});
}

Bytes ip6(const Ip6& ip, const Bytes& payload) {
    Bytes body = payload;
    const Bytes addresses = both(ip.src, ip.dst);
    fill_checksum(body, ip.next, addresses);
    return join(
        {be32(0x60000000U | std::uint32_t{ip.tos} << 20U | ip.flow_label),
         be16(ip.payload_length.value_or(static_cast<std::uint16_t>(body.size()))),
         {ip.next, ip.hops},
         addresses,
         body});
}

Bytes ext(std::uint8_t next, std::size_t units, const Bytes& payload) {
    Bytes header(units * 8);
    header.at(0) = next;
    header.at(1) = static_cast<std::uint8_t>(units - 1);
    header.at(2) = 1;  // PadN
    header.at(3) = static_cast<std::uint8_t>(std::min<std::size_t>(units * 8 - 4, 255));
    return join({header, payload});
}

Bytes fragment6(std::uint8_t next, std::uint16_t offset, bool more, const Bytes& payload) {
    return join({{next, 0}, be16(offset | (more ? 1U : 0U)), be32(0xfeedbeef), payload});
}

Bytes ah(std::uint8_t next, const Bytes& payload) {
    return join({{next, 4, 0, 0}, be32(0x5150), be32(7), text(12), payload});
}

Bytes tcp(const Tcp& header, const Bytes& payload) {
    const auto words = static_cast<std::uint8_t>(5 + header.options.size() / 4);
    return join(
        {be16(header.src),
         be16(header.dst),
         be32(header.seq),
         be32(header.ack),
         {static_cast<std::uint8_t>(header.data_offset.value_or(words) << 4U), header.flags},
         be16(header.window),
         be32(0),
         header.options,
         payload});
}

Bytes udp(const Udp& header, const Bytes& payload) {
    return join(
        {be16(header.src),
         be16(header.dst),
         be16(header.length.value_or(static_cast<std::uint16_t>(8 + payload.size()))),
         be16(header.checksum ? 1 : 0),
         payload});
}

Bytes udp_lite(std::uint16_t src, std::uint16_t dst, std::uint16_t coverage, const Bytes& payload) {
    return join({be16(src), be16(dst), be16(coverage), be16(0x1234), payload});
}

Bytes sctp(std::uint16_t src, std::uint16_t dst, const Bytes& payload) {
    return join({be16(src), be16(dst), be32(0x11223344), be32(0x55667788), payload});
}

Bytes dccp(std::uint16_t src, std::uint16_t dst, bool long_sequence, const Bytes& payload) {
    const Bytes type{static_cast<std::uint8_t>(long_sequence ? 0x05 : 0x04), 0, 0, 9};
    const Bytes words{static_cast<std::uint8_t>(long_sequence ? 4 : 3), 0};
    return join(
        {be16(src),
         be16(dst),
         words,
         be16(0x4321),
         type,
         long_sequence ? be32(10) : Bytes{},
         payload});
}

Bytes icmp(std::uint8_t type, std::uint8_t code, std::uint16_t id, const Bytes& payload) {
    Bytes out = join({{type, code}, be16(0), be16(id), be16(1), payload});
    put16(out, 2, ~std::uint32_t{ones_sum(out.data(), out.size())});
    return out;
}

Bytes gre(const Gre& header, const Bytes& payload) {
    const std::uint32_t flags = header.extra_flags | (header.checksum ? 0x8000U : 0U) |
                                (header.key ? 0x2000U : 0U) | (header.sequence ? 0x1000U : 0U);
    return join(
        {be16(flags),
         be16(header.type),
         header.checksum ? be32(0) : Bytes{},
         header.key ? be32(*header.key) : Bytes{},
         header.sequence ? be32(*header.sequence) : Bytes{},
         payload});
}

Bytes pptp(std::uint16_t call, bool acknowledgment, const Bytes& ppp) {
    return join(
        {be16(acknowledgment ? 0x3081 : 0x3001),
         be16(0x880b),
         be16(static_cast<std::uint32_t>(ppp.size())),
         be16(call),
         be32(1),
         acknowledgment ? be32(2) : Bytes{},
         ppp});
}

Bytes erspan2(std::uint16_t session, const Bytes& frame) {
    return join({be16(0x1000 | 5), be16(0x1800U | session), be32(3), frame});
}

Bytes erspan3(std::uint16_t session, bool subheader, const Bytes& frame) {
    return join(
        {be16(0x2000 | 5),
         be16(session),
         be32(99),
         be16(0),
         be16(subheader ? 1 : 0),
         subheader ? text(8) : Bytes{},
         frame});
}

Bytes vxlan(std::uint32_t vni, const Bytes& frame, std::uint8_t flags) {
    return join({{flags, 0, 0, 0}, be32(vni << 8U), frame});
}

Bytes geneve(
    std::uint32_t vni, std::uint16_t type, std::size_t option_words, const Bytes& payload) {
    return join(
        {{static_cast<std::uint8_t>(option_words), 0},
         be16(type),
         be32(vni << 8U),
         text(option_words * 4),
         payload});
}

Bytes gtp(const Gtp& header, const Bytes& packet) {
    Bytes optional;
    if (header.sequence || header.extensions.size() != 0) {
        const std::uint8_t first = header.extensions.size() != 0 ? 0x85 : 0;
        optional = join({be16(77), {0, first}});
        std::size_t left = header.extensions.size();
        for (const std::size_t units : header.extensions) {
            Bytes one = text(units * 4);
            one.front() = static_cast<std::uint8_t>(units);
            one.back() = --left == 0 ? 0 : 0x85;
            optional = join({optional, one});
        }
    }
    const auto flags = static_cast<std::uint8_t>(
        0x30 | (header.extensions.size() != 0 ? 4 : 0) | (header.sequence ? 2 : 0));
    return join(
        {{flags, header.message},
         be16(static_cast<std::uint32_t>(optional.size() + packet.size())),
         be32(header.teid),
         optional,
         packet});
}

Bytes teredo_origin() {
    return join({be16(0), be16(0x1234), be32(0xf00dcafe)});
}

Bytes teredo_authentication(std::uint8_t id_bytes, std::uint8_t value_bytes) {
    return join(
        {be16(1), {id_bytes, value_bytes}, text(id_bytes), text(value_bytes), text(8), Bytes{0}});
}

std::uint16_t ones_sum(const std::uint8_t* data, std::size_t size, std::uint32_t start) {
    std::uint64_t sum = start;
    for (std::size_t i = 0; i < size; ++i) {
        sum += i % 2 == 0 ? std::uint64_t{data[i]} << 8U : data[i];
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16U);
    }
    return static_cast<std::uint16_t>(sum);
}

std::uint16_t ip4_checksum(const std::uint8_t* ip) {
    const std::size_t header_bytes = (ip[0] & 0x0fU) * 4U;
    Bytes copy(ip, ip + header_bytes);
    put16(copy, 10, 0);
    return static_cast<std::uint16_t>(~ones_sum(copy.data(), copy.size()));
}

}  // namespace weir::test
