// SPDX-License-Identifier: BSD-3-Clause
// Reads generated captures with libpcap and takes packets apart by itself, sharing no code with the generator.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <pcap/pcap.h>

namespace weir::lab::test {

using Octets = std::span<const std::uint8_t>;

[[nodiscard]] inline std::uint32_t be16(Octets b, std::size_t at) {
    return std::uint32_t{b[at]} << 8U | b[at + 1];
}
[[nodiscard]] inline std::uint32_t be32(Octets b, std::size_t at) {
    return be16(b, at) << 16U | be16(b, at + 2);
}

struct Seen {
    std::uint64_t us = 0;
    std::array<std::uint8_t, 16> src{};  // IPv4 mapped
    std::array<std::uint8_t, 16> dst{};
    bool v6 = false;
    std::uint8_t proto = 0;
    std::uint16_t sport = 0;  // ICMP echo: the identifier in both
    std::uint16_t dport = 0;
    std::vector<std::uint8_t> transport;  // header and payload
    std::size_t header = 0;               // bytes of the former

    [[nodiscard]] Octets payload() const { return Octets(transport).subspan(header); }
};

// RFC 1071, over what a receiver would sum: 0xffff if all is well.
[[nodiscard]] inline std::uint32_t sum16(Octets data, std::uint32_t sum = 0) {
    for (std::size_t i = 0; i < data.size(); ++i) {
        sum += i % 2 == 0 ? std::uint32_t{data[i]} << 8U : data[i];
        sum = (sum & 0xffffU) + (sum >> 16U);
    }
    return sum;
}

[[nodiscard]] inline bool is_echo(std::uint8_t proto, std::uint8_t type) {
    return proto == 1 ? type == 0 || type == 8 : type == 128 || type == 129;
}

// Sets ports and header; expects valid checksums.
inline void read_transport(Seen& seen) {
    const Octets t(seen.transport);
    std::uint32_t pseudo = 0;
    if (seen.proto != 1) {
        const std::size_t skip = seen.v6 ? 0 : 12;
        pseudo = sum16(Octets(seen.src).subspan(skip));
        pseudo = sum16(Octets(seen.dst).subspan(skip), pseudo);
        pseudo += seen.proto + static_cast<std::uint32_t>(t.size());
    }
    ASSERT_GE(t.size(), 8U);
    EXPECT_EQ(sum16(t, pseudo), 0xffffU) << "checksum of protocol " << unsigned{seen.proto};
    if (seen.proto == 6 || seen.proto == 17) {
        seen.sport = static_cast<std::uint16_t>(be16(t, 0));
        seen.dport = static_cast<std::uint16_t>(be16(t, 2));
    } else if (is_echo(seen.proto, t[0])) {
        seen.sport = seen.dport = static_cast<std::uint16_t>(be16(t, 4));
    }
    if (seen.proto == 17) {
        EXPECT_EQ(be16(t, 4), t.size());
        EXPECT_NE(be16(t, 6), 0U) << "no UDP checksum";
    }
    ASSERT_TRUE(seen.proto == 6 || seen.proto == 17 || seen.proto == 1 || seen.proto == 58);
    seen.header = seen.proto == 6 ? (t[12] >> 4U) * 4U : 8U;
    ASSERT_GE(t.size(), seen.header);
}

inline void read_frame(Octets frame, Seen& seen) {
    ASSERT_GE(frame.size(), 60U);
    ASSERT_LE(frame.size(), 1514U);
    const std::uint32_t type = be16(frame, 12);
    const Octets ip = frame.subspan(14);
    if (type == 0x0800) {
        ASSERT_EQ(ip[0], 0x45);
        EXPECT_EQ(sum16(ip.first(20)), 0xffffU) << "IPv4 header checksum";
        const std::uint32_t total = be16(ip, 2);
        ASSERT_LE(total, ip.size());
        ASSERT_TRUE(total == ip.size() || frame.size() == 60);
        seen.proto = ip[9];
        seen.src[10] = seen.src[11] = seen.dst[10] = seen.dst[11] = 0xff;
        std::copy_n(ip.begin() + 12, 4, seen.src.begin() + 12);
        std::copy_n(ip.begin() + 16, 4, seen.dst.begin() + 12);
        seen.transport.assign(ip.begin() + 20, ip.begin() + total);
    } else {
        ASSERT_EQ(type, 0x86ddU);
        ASSERT_EQ(ip[0] >> 4U, 6);
        const std::uint32_t above = be16(ip, 4);
        ASSERT_EQ(above + 40, ip.size());
        seen.v6 = true;
        seen.proto = ip[6];
        std::copy_n(ip.begin() + 8, 16, seen.src.begin());
        std::copy_n(ip.begin() + 24, 16, seen.dst.begin());
        seen.transport.assign(ip.begin() + 40, ip.end());
    }
    read_transport(seen);
}

/// Gives every packet to `take(const Seen&)`, in the file's order; expects what holds for any packet.
template <typename Take>
void read_capture(const std::string& path, Take take) {
    char message[PCAP_ERRBUF_SIZE] = {};
    const std::unique_ptr<pcap_t, decltype(&pcap_close)> pcap(
        pcap_open_offline(path.c_str(), message), &pcap_close);
    ASSERT_NE(pcap, nullptr) << message;
    ASSERT_EQ(pcap_datalink(pcap.get()), DLT_EN10MB);
    pcap_pkthdr* info = nullptr;
    const u_char* data = nullptr;
    int got = 0;
    std::uint64_t before = 0;
    std::uint64_t number = 0;
    while ((got = pcap_next_ex(pcap.get(), &info, &data)) == 1) {
        SCOPED_TRACE("packet " + std::to_string(++number));
        ASSERT_EQ(info->caplen, info->len);
        Seen seen;
        seen.us = static_cast<std::uint64_t>(info->ts.tv_sec) * 1'000'000 +
                  static_cast<std::uint64_t>(info->ts.tv_usec);
        ASSERT_GE(seen.us, before) << "out of order";
        before = seen.us;
        read_frame({data, info->caplen}, seen);
        take(static_cast<const Seen&>(seen));
        if (testing::Test::HasFailure()) {
            return;  // one broken packet says enough
        }
    }
    EXPECT_EQ(got, PCAP_ERROR_BREAK) << pcap_geterr(pcap.get());
}

/// Follows TCP connections as the gateway sees them, and expects what RFC 9293 promises.
class TcpWatch {
  public:
    void take(const Seen& p) {
        if (p.proto != 6) {
            return;
        }
        const std::uint8_t flags = p.transport[13];
        const std::uint32_t seq = be32(p.transport, 4);
        Way& way = ways_[{p.src, p.sport, p.dst, p.dport}];
        Way& back = ways_[{p.dst, p.dport, p.src, p.sport}];
        if ((flags & 2U) != 0) {
            if (!way.known || way.first != seq) {
                way = Way{.known = true, .first = seq};
                if ((flags & 16U) == 0) {
                    back = Way{};
                    ++connections;
                }
            }
            way.shift = window_shift(p);
        }
        if ((flags & 4U) != 0 || !way.known) {
            return;  // resets may come from nowhere
        }
        const std::uint64_t offset = seq - way.first - ((flags & 2U) != 0 ? 0U : 1U);
        check_data(p, way, back, offset, (flags & 1U) != 0);
        if ((flags & 16U) != 0) {
            check_ack(p, way, back);
        }
        const std::uint32_t window = be16(p.transport, 14) << ((flags & 2U) != 0 ? 0 : way.shift);
        back.allowed = std::max(back.allowed, std::uint64_t{way.acked} + window);
    }
    /// Streams that miss bytes before the last seen: losses that nothing has made good yet.
    [[nodiscard]] std::uint64_t gaps() const {
        return static_cast<std::uint64_t>(
            std::count_if(ways_.begin(), ways_.end(), [](const auto& w) {
                return w.second.whole < w.second.have.size();
            }));
    }
    std::uint64_t connections = 0;
    std::uint64_t again = 0;   // segments with nothing new
    std::uint64_t filled = 0;  // segments that fill a gap
    std::uint64_t closed = 0;  // FINs
    std::uint64_t data = 0;    // segments with payload
    std::uint64_t acks = 0;    // without, nor SYN, FIN

  private:
    struct Way {
        bool known = false;
        std::uint32_t first = 0;  // sequence number of the SYN
        unsigned shift = 0;
        std::vector<std::uint8_t> bytes;  // of the stream as far as seen
        std::vector<bool> have;
        std::uint64_t whole = 0;    // bytes seen without a gap; the FIN counts
        std::uint64_t acked = 0;    // what this end has acknowledged of the other's stream
        std::uint64_t allowed = 0;  // what the other end's window lets this one send
    };
    static unsigned window_shift(const Seen& p) {
        for (std::size_t i = 20; i < p.header && p.transport[i] != 0;) {
            if (p.transport[i] == 3) {
                return p.transport[i + 2];
            }
            i += p.transport[i] == 1 ? 1 : p.transport[i + 1];
        }
        return 0;
    }
    void check_data(const Seen& p, Way& way, const Way& back, std::uint64_t offset, bool fin) {
        const Octets payload = p.payload();
        const std::uint64_t past = offset + payload.size() + (fin ? 1 : 0);
        if (payload.empty() && !fin) {
            ++acks;
            return;
        }
        ASSERT_TRUE(back.known) << "data before the handshake";
        ASSERT_LT(past, 1ULL << 31U) << "before the stream's beginning";
        ASSERT_LE(past, way.allowed + (fin ? 1 : 0)) << "beyond the window";
        if (way.have.size() < past) {
            way.have.resize(past);
            way.bytes.resize(past);
        }
        bool fresh = false;
        for (std::size_t i = 0; i < past - offset; ++i) {
            const std::uint8_t byte = i < payload.size() ? payload[i] : 0;
            ASSERT_TRUE(!way.have[offset + i] || way.bytes[offset + i] == byte)
                << "other bytes at the same place";
            fresh = fresh || !way.have[offset + i];
            way.have[offset + i] = true;
            way.bytes[offset + i] = byte;
        }
        while (way.whole < way.have.size() && way.have[way.whole]) {
            ++way.whole;
        }
        ASSERT_TRUE(!fin || way.whole == past) << "closed before everything was said";
        filled += past < way.have.size() && fresh ? 1 : 0;
        data += payload.empty() ? 0 : 1;
        closed += fin ? 1 : 0;
        again += fresh ? 0 : 1;
    }
    static void check_ack(const Seen& p, Way& way, const Way& back) {
        ASSERT_TRUE(back.known);
        const std::uint32_t ack = be32(p.transport, 8) - back.first - 1;
        ASSERT_GE(ack, way.acked) << "acknowledgement goes back";
        ASSERT_LE(ack, back.whole) << "acknowledges what was not sent";
        way.acked = ack;
    }
    using Id = std::tuple<
        std::array<std::uint8_t, 16>,
        std::uint16_t,
        std::array<std::uint8_t, 16>,
        std::uint16_t>;
    std::map<Id, Way> ways_;
};

}  // namespace weir::lab::test
