// SPDX-License-Identifier: BSD-3-Clause
// Every frame of every capture: the flow and the DSCP that parse finds against what tshark's dissection shows. tshark
// runs once over all of them, with no other dissectors than those of the layers that parse knows.
#include "dataplane/parse_walk.h"
#include "tests/support/corpus.h"
#include "tests/support/tshark.h"

#include <array>
#include <cstdio>
#include <map>
#include <memory>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <pcap/pcap.h>
#include <unistd.h>

namespace weir::dataplane {
namespace {

using test::lines_of;
using test::split;

constexpr const char* kFields =
    " -e frame.protocols -e ip.src -e ip.dst -e ip.dsfield.dscp -e ipv6.src -e ipv6.dst"
    " -e ipv6.tclass.dscp -e tcp.srcport -e tcp.dstport -e udp.srcport -e udp.dstport"
    " -e sctp.srcport -e sctp.dstport";

struct PcapClose {
    void operator()(pcap_t* pcap) const noexcept { pcap_close(pcap); }
};
struct DumperClose {
    void operator()(pcap_dumper_t* dumper) const noexcept { pcap_dump_close(dumper); }
};

// What one of the two says of a packet.
struct View {
    std::string flow;  ///< "src sport dst dport dscp"; empty if there is none
    ParseResult result = ParseResult::flow;
};

struct Frame {
    std::uint32_t capture;
    std::uint32_t number;
    std::uint32_t bytes;
    View view;
};

[[nodiscard]] std::string address(const std::array<std::uint8_t, 16>& bytes, std::uint8_t version) {
    char text[INET6_ADDRSTRLEN] = {};
    inet_ntop(
        version == 4 ? AF_INET : AF_INET6,
        bytes.data() + (version == 4 ? 12 : 0),
        text,
        sizeof(text));
    return text;
}

[[nodiscard]] std::string line(
    const std::string& src,
    const std::string& src_port,
    const std::string& dst,
    const std::string& dst_port,
    const std::string& dscp) {
    return src + ' ' + src_port + ' ' + dst + ' ' + dst_port + ' ' + dscp;
}

[[nodiscard]] View our_view(const std::uint8_t* data, std::uint32_t size) {
    FlowKey key;
    PacketHeader header;
    View view;
    view.result = parse_frame(data, size, size, key, header);
    if (view.result != ParseResult::flow) {
        return view;
    }
    const bool hi = header.src_is_hi;
    const bool ports = header.proto == kIpTcp || header.proto == kIpUdp || header.proto == kIpSctp;
    const auto port = [&](std::uint16_t value) {
        return ports && !header.later_fragment ? std::to_string(value) : std::string("-");
    };
    view.flow = line(
        address(hi ? key.addr_hi : key.addr_lo, key.ip_version),
        port(header.src_port),
        address(hi ? key.addr_lo : key.addr_hi, key.ip_version),
        port(header.dst_port),
        std::to_string(header.tos >> 2U));
    return view;
}

// One line of tshark's: fields by tab, their occurrences by comma, in the order of the layers that `protocols` names.
class Dissection {
  public:
    explicit Dissection(const std::string& row) {
        for (const std::string& field : split(row, '\t')) {
            fields_.push_back(split(field, ','));
        }
        fields_.resize(13);
    }
    [[nodiscard]] std::string protocols() const { return at(0, 0); }

    // The innermost IP packet with its ports. What an ICMP error embeds is no layer.
    [[nodiscard]] std::string flow() const {
        std::map<std::string, std::size_t> seen;
        std::string src;
        std::string dst;
        std::string dscp;
        std::string src_port;
        std::string dst_port;
        for (const std::string& layer : split(protocols(), ':')) {
            const std::size_t index = seen[layer]++;
            if (layer == "icmp" || layer == "icmpv6") {
                break;
            }
            if (layer == "ip" || layer == "ipv6") {
                const std::size_t first = layer == "ip" ? 1 : 4;
                src = at(first, index);
                dst = at(first + 1, index);
                dscp = at(first + 2, index);
                src_port = dst_port = "-";
            } else if (layer == "tcp" || layer == "udp" || layer == "sctp") {
                const std::size_t first = layer == "tcp" ? 7 : layer == "udp" ? 9 : 11;
                src_port = at(first, index);
                dst_port = at(first + 1, index);
            }
        }
        return src.empty() ? "" : line(src, src_port, dst, dst_port, dscp);
    }

  private:
    [[nodiscard]] std::string at(std::size_t field, std::size_t index) const {
        return index < fields_[field].size() ? fields_[field][index] : "-";
    }
    std::vector<std::vector<std::string>> fields_;
};

// A folder of its own, gone with it.
class Scratch {
  public:
    Scratch() {
        std::string path = std::filesystem::temp_directory_path() / "weir-corpus-XXXXXX";
        if (mkdtemp(path.data()) == nullptr) {
            std::abort();
        }
        path_ = path;
    }
    ~Scratch() {
        std::error_code error;
        std::filesystem::remove_all(path_, error);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    [[nodiscard]] std::string path(const char* name) const { return path_ / name; }

  private:
    std::filesystem::path path_;
};

// All captures as one, and what we say of each frame. What a capture did not keep was not there.
[[nodiscard]] std::vector<Frame> merge(
    const std::vector<std::string>& captures, const std::string& out) {
    const std::unique_ptr<pcap_t, PcapClose> ethernet(pcap_open_dead(DLT_EN10MB, 262144));
    const std::unique_ptr<pcap_dumper_t, DumperClose> dumper(
        pcap_dump_open(ethernet.get(), out.c_str()));
    EXPECT_NE(dumper, nullptr) << pcap_geterr(ethernet.get());
    std::vector<Frame> frames;
    for (std::uint32_t c = 0; c < captures.size() && dumper != nullptr; ++c) {
        char message[PCAP_ERRBUF_SIZE] = {};
        const std::unique_ptr<pcap_t, PcapClose> pcap(
            pcap_open_offline(captures[c].c_str(), message));
        EXPECT_NE(pcap, nullptr) << captures[c] << ": " << message;
        pcap_pkthdr* info = nullptr;
        const u_char* data = nullptr;
        for (std::uint32_t n = 1; pcap && pcap_next_ex(pcap.get(), &info, &data) == 1; ++n) {
            info->len = info->caplen;
            pcap_dump(reinterpret_cast<u_char*>(dumper.get()), info, data);
            frames.push_back({c, n, info->caplen, our_view(data, info->caplen)});
        }
    }
    return frames;
}

// Why a difference is none of ours; nullptr if it is not known.
[[nodiscard]] const char* accepted(const Frame& frame, const Dissection& theirs) {
    if (frame.view.result == ParseResult::truncated ||
        frame.view.result == ParseResult::malformed) {
        return "broken packets, of which tshark shows what it can";
    }
    if (frame.bytes > kMaxLength16 && frame.view.result == ParseResult::flow) {
        return "joined by segmentation offload, which tshark 4.0 takes for a packet of length 0";
    }
    const std::string flow = theirs.flow();
    if (theirs.protocols().ends_with(":ip") &&
        frame.view.flow.starts_with(flow.substr(0, flow.find(' ') + 1))) {
        return "a broken IPv4 option, at which tshark stops and routers do not";
    }
    return nullptr;
}

TEST(Corpus, FlowsAndDscpAsTsharkShowsThem) {
    const std::vector<std::string> captures = test::corpus_captures();
    if (captures.empty()) {
        GTEST_SKIP() << "skipped: no corpus";
    }
    if (!test::have_tshark()) {
        GTEST_SKIP() << "skipped: no tshark";
    }
    const Scratch scratch;
    const std::vector<Frame> frames = merge(captures, scratch.path("all.pcap"));
    test::disable_dissectors_but(test::kParsedDissectors, scratch.path("disabled_protos"));
    const std::vector<std::string> rows = lines_of(
        "WIRESHARK_CONFIG_DIR=" + scratch.path("") +
        " tshark -n -o ip.defragment:FALSE -o ipv6.defragment:FALSE"
        " -o tcp.desegment_tcp_streams:FALSE -o tcp.analyze_sequence_numbers:FALSE"
        " -T fields -E occurrence=a" +
        kFields + " -r " + scratch.path("all.pcap") + " 2>/dev/null");
    ASSERT_EQ(rows.size(), frames.size());

    std::map<std::string, std::uint64_t> known;
    std::uint64_t same = 0;
    std::uint64_t unknown = 0;
    std::uint64_t broken_elsewhere = 0;  // than among the captures of broken packets
    for (std::size_t i = 0; i < frames.size(); ++i) {
        const Frame& frame = frames[i];
        const std::string& capture = captures[frame.capture];
        const Dissection theirs(rows[i]);
        const bool broken = frame.view.result == ParseResult::truncated ||
                            frame.view.result == ParseResult::malformed;
        broken_elsewhere += broken && capture.find("/malformed/") == std::string::npos ? 1 : 0;
        if (frame.view.flow == theirs.flow()) {
            ++same;
        } else if (const char* why = accepted(frame, theirs)) {
            ++known[why];
        } else if (++unknown <= 20) {
            ADD_FAILURE() << capture << " frame " << frame.number << ": '" << frame.view.flow
                          << "' (" << static_cast<int>(frame.view.result) << "), tshark '"
                          << theirs.flow() << "' of " << theirs.protocols();
        }
    }
    EXPECT_EQ(unknown, 0U);
    EXPECT_LT(broken_elsewhere * 1000, frames.size());
    std::printf("%zu frames, %ju the same\n", frames.size(), std::uintmax_t{same});
    for (const auto& [why, count] : known) {
        std::printf("%8ju %s\n", std::uintmax_t{count}, why.c_str());
    }
}

}  // namespace
}  // namespace weir::dataplane
