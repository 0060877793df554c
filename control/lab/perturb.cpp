// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/perturb.h"

#include "control/lab/generate_files.h"
#include "dataplane/parse.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include <pcap/pcap.h>

namespace weir::lab {
namespace {

using Frame = std::vector<std::uint8_t>;

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint32_t kMtu = 1500;
constexpr std::size_t kShortestFrame = 60;

struct Packet {
    std::uint64_t us = 0;
    Frame bytes;
};

struct FlowState {
    bool initiator_is_hi = false;
    std::uint32_t padded = 0;  ///< bytes by which the initiator's sequence numbers are ahead
    std::uint64_t late_us = 0;
    std::uint8_t ttl = 64;
};

void put16(std::uint8_t* at, std::uint32_t value) noexcept {
    at[0] = static_cast<std::uint8_t>(value >> 8U);
    at[1] = static_cast<std::uint8_t>(value);
}

void put32(std::uint8_t* at, std::uint32_t value) noexcept {
    put16(at, value >> 16U);
    put16(at + 2, value);
}

// RFC 1071, without the final complement.
std::uint64_t sum16(const std::uint8_t* data, std::size_t size, std::uint64_t sum) noexcept {
    for (std::size_t i = 0; i < size; ++i) {
        sum += i % 2 == 0 ? std::uint64_t{data[i]} << 8U : data[i];
    }
    return sum;
}

std::uint32_t folded(std::uint64_t sum) noexcept {
    while (sum >> 16U != 0) {
        sum = (sum & 0xffffU) + (sum >> 16U);
    }
    return static_cast<std::uint32_t>(~sum & 0xffffU);
}

// One packet of TCP or UDP directly in IP, whole.
class Edit {
  public:
    Edit(Frame& bytes, const dataplane::PacketHeader& header) : bytes_(bytes), header_(header) {}

    void pad(std::uint32_t extra, std::mt19937_64& random) {
        bytes_.resize(header_.l3_offset + header_.ip_bytes);  // Ethernet's own padding goes
        for (std::uint32_t i = 0; i < extra; ++i) {
            bytes_.push_back(static_cast<std::uint8_t>(random()));
        }
        bytes_.resize(std::max(bytes_.size(), kShortestFrame));
        ip_bytes_ += extra;
        put16(
            l3() + (header_.ip_version == 4 ? 2 : 4),
            ip_bytes_ - (header_.ip_version == 4 ? 0 : 40));
        if (header_.proto == kUdp) {
            put16(l4() + 4, l4_bytes());
        }
    }
    void scramble_payload(std::mt19937_64& random) {
        const std::size_t end = header_.l3_offset + header_.ip_bytes;
        for (std::size_t i = end - header_.payload_bytes; i < end; ++i) {
            bytes_[i] = static_cast<std::uint8_t>(random());
        }
    }
    void set_ttl(std::uint8_t ttl) { l3()[header_.ip_version == 4 ? 8 : 7] = ttl; }
    void set_window(std::uint32_t window) { put16(l4() + 14, window); }
    void set_seq(std::uint32_t seq) { put32(l4() + 4, seq); }
    void set_ack(std::uint32_t ack) { put32(l4() + 8, ack); }
    void fix_checksums() {
        if (header_.ip_version == 4) {
            put16(l3() + 10, 0);
            put16(l3() + 10, folded(sum16(l3(), (l3()[0] & 0xfU) * 4U, 0)));
        }
        const std::size_t at = header_.proto == kTcp ? 16 : 6;
        const std::size_t addresses = header_.ip_version == 4 ? 8 : 32;
        std::uint64_t sum = sum16(l3() + (header_.ip_version == 4 ? 12 : 8), addresses, 0);
        sum += header_.proto + l4_bytes();
        put16(l4() + at, 0);
        const std::uint32_t checksum = folded(sum16(l4(), l4_bytes(), sum));
        put16(l4() + at, checksum == 0 && header_.proto == kUdp ? 0xffff : checksum);
    }

  private:
    std::uint8_t* l3() { return bytes_.data() + header_.l3_offset; }
    std::uint8_t* l4() { return bytes_.data() + header_.l4_offset; }
    [[nodiscard]] std::uint32_t l4_bytes() const {
        return ip_bytes_ - (header_.l4_offset - header_.l3_offset);
    }

    Frame& bytes_;
    const dataplane::PacketHeader& header_;
    std::uint32_t ip_bytes_ = header_.ip_bytes;
};

class Perturber {
  public:
    explicit Perturber(const PerturbOptions& options) : options_(options), random_(options.seed) {}

    void take(std::uint64_t us, Frame bytes, bool whole) {
        ++summary_.packets;
        dataplane::FlowKey key;
        dataplane::PacketHeader header;
        const auto size = static_cast<std::uint32_t>(bytes.size());
        const bool plain = whole &&
                           dataplane::parse_frame(bytes.data(), size, size, key, header) ==
                               dataplane::ParseResult::flow &&
                           (key.proto == kTcp || key.proto == kUdp) && !header.fragment &&
                           header.l4_offset != 0 && header.outer_l3_offset == header.l3_offset &&
                           key.tunnel_id == 0 && header.l3_offset + header.ip_bytes <= size;
        if (!plain) {
            packets_.push_back({us, std::move(bytes)});
            return;
        }
        const auto [entry, fresh] =
            flows_.try_emplace(std::string(reinterpret_cast<const char*>(&key), sizeof(key)));
        FlowState& flow = entry->second;
        if (fresh) {
            flow.initiator_is_hi = header.src_is_hi;
            flow.ttl = static_cast<std::uint8_t>(32 + random_() % 224);
        }
        change(us, std::move(bytes), header, flow);
    }

    [[nodiscard]] std::vector<Packet>& sorted() {
        std::stable_sort(packets_.begin(), packets_.end(), [](const Packet& a, const Packet& b) {
            return a.us < b.us;
        });
        return packets_;
    }
    [[nodiscard]] const PerturbSummary& summary() const noexcept { return summary_; }

  private:
    void change(
        std::uint64_t us, Frame bytes, const dataplane::PacketHeader& header, FlowState& flow) {
        const bool own = header.src_is_hi == flow.initiator_is_hi;
        Edit edit(bytes, header);
        bool changed = false;
        switch (options_.kind) {
            case PerturbKind::padding:
                changed = pad(edit, header, flow, own);
                break;
            case PerturbKind::delay:
                if (own) {
                    const double share = static_cast<double>(random_() >> 11U) * 0x1p-53;
                    flow.late_us += static_cast<std::uint64_t>(
                        -std::log1p(-share) * options_.strength * 1000.0);
                }
                summary_.changed += flow.late_us != 0 ? 1 : 0;
                us += flow.late_us;
                break;
            case PerturbKind::dummies:
                if (own && header.payload_bytes != 0 &&
                    static_cast<double>(random_() % 100) < options_.strength) {
                    add_dummy(us, bytes, header);
                }
                break;
            case PerturbKind::ttl:
                changed = own;
                if (own) {
                    edit.set_ttl(flow.ttl);
                }
                break;
            case PerturbKind::window:
                changed = own && header.proto == kTcp;
                if (changed) {
                    edit.set_window(static_cast<std::uint32_t>(1024 + random_() % 64000));
                }
                break;
        }
        if (changed) {
            edit.fix_checksums();
            ++summary_.changed;
        }
        packets_.push_back({us, std::move(bytes)});
    }

    bool pad(Edit& edit, const dataplane::PacketHeader& header, FlowState& flow, bool own) {
        bool changed = false;
        if (header.proto == kTcp && flow.padded != 0) {
            own ? edit.set_seq(header.tcp_seq + flow.padded)
                : edit.set_ack(header.tcp_ack + flow.padded);
            changed = true;
        }
        const std::uint32_t room = header.ip_bytes < kMtu ? kMtu - header.ip_bytes : 0;
        const auto most =
            std::min<std::uint32_t>(static_cast<std::uint32_t>(options_.strength), room);
        if (own && header.payload_bytes != 0 && most != 0) {
            const auto extra = static_cast<std::uint32_t>(1 + random_() % most);
            edit.pad(extra, random_);
            flow.padded += extra;
            changed = true;
        }
        return changed;
    }

    void add_dummy(std::uint64_t us, const Frame& bytes, const dataplane::PacketHeader& header) {
        constexpr std::uint64_t kAfterUs = 200;
        Packet dummy{us + kAfterUs, bytes};
        Edit edit(dummy.bytes, header);
        edit.scramble_payload(random_);
        edit.fix_checksums();
        packets_.push_back(std::move(dummy));
        ++summary_.changed;
    }

    PerturbOptions options_;
    std::mt19937_64 random_;
    std::map<std::string, FlowState> flows_;
    std::vector<Packet> packets_;
    PerturbSummary summary_;
};

struct PcapClose {
    void operator()(pcap_t* p) const noexcept { pcap_close(p); }
};

Result<void> read_all(const std::string& path, Perturber& perturber) {
    char message[PCAP_ERRBUF_SIZE] = {};
    const std::unique_ptr<pcap_t, PcapClose> pcap(pcap_open_offline(path.c_str(), message));
    if (!pcap || pcap_datalink(pcap.get()) != DLT_EN10MB) {
        return fail(
            path,
            {},
            pcap ? std::string("is not Ethernet") : std::string("cannot be read: ") + message,
            "give a pcap or pcapng file of Ethernet frames");
    }
    pcap_pkthdr* info = nullptr;
    const u_char* data = nullptr;
    int got = 0;
    while ((got = pcap_next_ex(pcap.get(), &info, &data)) == 1) {
        const std::uint64_t us = static_cast<std::uint64_t>(info->ts.tv_sec) * 1'000'000 +
                                 static_cast<std::uint64_t>(info->ts.tv_usec);
        perturber.take(us, Frame(data, data + info->caplen), info->caplen == info->len);
    }
    if (got == PCAP_ERROR) {
        return fail(path, {}, std::string("is damaged: ") + pcap_geterr(pcap.get()), "repair it");
    }
    return {};
}

}  // namespace

bool perturb_kind(std::string_view text, PerturbKind& out) noexcept {
    constexpr std::array<std::string_view, 5> kNames{
        "padding", "delay", "dummies", "ttl", "window"};
    const auto* const found = std::find(kNames.begin(), kNames.end(), text);
    if (found == kNames.end()) {
        return false;
    }
    out = static_cast<PerturbKind>(found - kNames.begin());
    return true;
}

Result<PerturbSummary> perturb(
    const std::string& in, const std::string& out, const PerturbOptions& options) {
    Perturber perturber(options);
    if (auto ok = read_all(in, perturber); !ok) {
        return tl::unexpected(ok.error());
    }
    synth::NewFile file;
    if (auto ok = file.open(out); !ok) {
        return tl::unexpected(ok.error());
    }
    synth::write_pcap_header(file);
    for (const Packet& packet : perturber.sorted()) {
        synth::write_pcap_packet(file, packet.us, packet.bytes);
    }
    if (auto ok = file.complete(); !ok) {
        return tl::unexpected(ok.error());
    }
    if (auto ok = file.rename_into_place(); !ok) {
        return tl::unexpected(ok.error());
    }
    return perturber.summary();
}

}  // namespace weir::lab
