// SPDX-License-Identifier: BSD-3-Clause
// DNS, SNMP, NTP, RTP, RTCP and MPEG transport stream.
#include "control/lab/generate_payload.h"

#include <algorithm>

namespace weir::lab::synth {

Packer& Packer::noise(std::size_t bytes, Rng& rng) {
    out_.reserve(out_.size() + bytes);
    while (bytes > 0) {
        std::uint64_t word = rng.next();
        for (std::size_t i = 0; i < 8 && bytes > 0; ++i, --bytes, word >>= 8U) {
            u8(word);
        }
    }
    return *this;
}

std::string noise(std::size_t bytes, Rng& rng) {
    return Packer().noise(bytes, rng).take();
}

std::string token(std::size_t length, Rng& rng) {
    constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
    std::string out;
    out.reserve(length);
    while (out.size() < length) {
        out += kAlphabet[rng.below(kAlphabet.size())];
    }
    return out;
}

namespace {

constexpr std::uint64_t kNtpFromUnix = 2'208'988'800;  // seconds from 1900 to 1970

void put_name(Packer& out, std::string_view name) {
    while (!name.empty()) {
        const auto dot = std::min(name.find('.'), name.size());
        out.u8(dot).text(name.substr(0, dot));
        name.remove_prefix(std::min(dot + 1, name.size()));
    }
    out.u8(0);
}

void put_question(
    Packer& out, std::uint16_t id, unsigned flags, std::string_view name, DnsType type) {
    out.u16(id).u16(flags).u16(1);
    out.u16(0).u16(0).u16(1);  // answers (set later), authority, additional: EDNS
    put_name(out, name);
    out.u16(static_cast<std::uint16_t>(type)).u16(1);
}

void put_edns(Packer& out, std::size_t padding) {
    out.u8(0).u16(41).u16(1232).u32(0);
    if (padding == 0) {
        out.u16(0);
        return;
    }
    out.u16(padding + 4).u16(12).u16(padding);
    for (std::size_t i = 0; i < padding; ++i) {
        out.u8(0);
    }
}

}  // namespace

std::string dns_query(std::uint16_t id, std::string_view name, DnsType type, std::size_t padding) {
    Packer out;
    put_question(out, id, 0x0100, name, type);
    put_edns(out, padding);
    return out.take();
}

std::string dns_answer(
    std::uint16_t id, std::string_view name, DnsType type, std::size_t bytes, Rng& rng) {
    Packer out;
    put_question(out, id, 0x8180, name, type);
    unsigned answers = 0;
    do {
        // A pointer to the question's name, type, class, time to live.
        const DnsType of = type == DnsType::any ? DnsType::txt : type;
        out.u16(0xc00c).u16(static_cast<std::uint16_t>(of)).u16(1).u32(30 + rng.below(3600));
        if (of == DnsType::txt) {
            const std::size_t left = bytes - std::min(bytes, out.size() + 14);
            const std::size_t length = std::clamp<std::size_t>(left, 16, 255);
            out.u16(length + 1).u8(length).text(token(length, rng));
        } else {
            const std::size_t length = of == DnsType::a ? 4 : 16;
            out.u16(length).noise(length, rng);
        }
        ++answers;
    } while (out.size() + 39 < bytes && answers < 64);
    put_edns(out, 0);
    std::string message = out.take();
    message[7] = static_cast<char>(answers);
    return message;
}

namespace {

// ASN.1 BER: tag, short or long length, content.
std::string ber(unsigned tag, std::string_view content) {
    Packer out;
    out.u8(tag);
    if (content.size() < 128) {
        out.u8(content.size());
    } else {
        out.u8(0x82).u16(content.size());
    }
    return out.text(content).take();
}

std::string ber_integer(std::uint32_t value) {
    return ber(0x02, Packer().u32(value & 0x7fffffffU).take());
}

// 1.3.6.1.2.1.2.2.1.COLUMN.ROW: a counter of an interface.
std::string ber_counter_name(std::size_t row) {
    return ber(
        0x06,
        Packer()
            .text(std::string_view("\x2b\x06\x01\x02\x01\x02\x02\x01", 8))
            .u8(10 + row % 2 * 6)
            .u8(1 + row / 2 % 100)
            .take());
}

std::string snmp(unsigned pdu, std::uint32_t id, std::string_view bindings) {
    const std::string body =
        ber_integer(id) + ber_integer(0) + ber_integer(0) + ber(0x30, bindings);
    return ber(0x30, ber(0x02, std::string_view("\x01", 1)) + ber(0x04, "public") + ber(pdu, body));
}

}  // namespace

std::string snmp_get(std::uint32_t id, std::size_t count) {
    std::string bindings;
    for (std::size_t i = 0; i < count; ++i) {
        bindings += ber(0x30, ber_counter_name(i) + ber(0x05, {}));
    }
    return snmp(0xa0, id, bindings);
}

std::string snmp_response(std::uint32_t id, std::size_t count, Rng& rng) {
    std::string bindings;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string value =
            ber(0x41, Packer().u32(rng.next() & 0x7fffffffU).take());  // Counter32
        bindings += ber(0x30, ber_counter_name(i) + value);
    }
    return snmp(0xa2, id, bindings);
}

std::string ntp(unsigned mode, std::uint64_t epoch_s, Nanos now, Rng& rng) {
    const auto stamp = [&](Packer& out, Nanos time) {
        out.u32(epoch_s + kNtpFromUnix + time / kSecond)
            .u32((time % kSecond << 32U) / kSecond & 0xffffffffU);
    };
    Packer out;
    out.u8(0x20U | mode)
        .u8(mode == 4 ? 2 : 0)
        .u8(6)
        .u8(0xe9);  // version 4, stratum, poll, precision
    out.u32(rng.below(2000)).u32(rng.below(3000));
    out.u32(mode == 4 ? 0xc0000201 : 0);  // reference: 192.0.2.1
    if (mode == 3) {
        out.u32(0).u32(0).u32(0).u32(0).u32(0).u32(0);
    } else {
        stamp(out, 0);
        stamp(out, now);
        stamp(out, now);
    }
    stamp(out, now);
    return out.take();
}

std::string ntp_monlist(unsigned sequence, std::size_t items, Rng& rng) {
    Packer out;
    out.u8(0xd7)
        .u8(sequence & 0x7fU)
        .u8(3)
        .u8(42);  // response with more, version 2, mode 7; MON_GETLIST_1
    out.u16(items).u16(72);
    for (std::size_t i = 0; i < items; ++i) {
        out.u32(rng.below(100000)).u32(rng.below(100000)).u32(0).u32(1 + rng.below(1000));
        out.u32(0xc6120000U | rng.below(65536)).u32(0xc0000201).u32(1).u16(123).u8(3).u8(4);
        out.u32(0).u32(0);
        out.noise(32, rng);
    }
    return out.take();
}

std::string rtp(
    unsigned payload_type,
    bool marker,
    std::uint16_t sequence,
    std::uint32_t timestamp,
    std::uint32_t ssrc,
    std::string_view media) {
    return Packer()
        .u8(0x80)
        .u8((marker ? 0x80U : 0U) | payload_type)
        .u16(sequence)
        .u32(timestamp)
        .u32(ssrc)
        .text(media)
        .take();
}

std::string rtcp_report(std::uint32_t ssrc, std::uint32_t peer, Rng& rng) {
    Packer out;
    out.u8(0x81).u8(200).u16(12).u32(ssrc);
    out.u32(rng.next())
        .u32(rng.next())
        .u32(rng.next())
        .u32(rng.below(100000))
        .u32(rng.below(1 << 24));
    out.u32(peer).u32(0).u32(rng.below(65536)).u32(rng.below(400)).u32(rng.next()).u32(rng.next());
    const std::string name = token(16, rng);
    out.u8(0x81).u8(202).u16(6).u32(ssrc).u8(1).u8(name.size()).text(name).u16(0);
    return out.take();
}

std::string transport_stream(std::size_t packets, std::uint32_t& counter, Rng& rng) {
    Packer out;
    for (std::size_t i = 0; i < packets; ++i) {
        out.u8(0x47).u16(0x0100).u8(0x10U | (counter++ & 0xfU)).noise(184, rng);
    }
    return out.take();
}

}  // namespace weir::lab::synth
