// SPDX-License-Identifier: BSD-3-Clause
// From payloads to codes.
#include "dataplane/features/payload.h"

#include "dataplane/features/catalog_table.h"
#include "dataplane/features/encoders.h"
#include "dataplane/features/payload_signs.h"
#include "dataplane/features/state.h"

#include <algorithm>
#include <cstring>

namespace weir::dataplane {

namespace {

constexpr std::uint32_t kFirst = feature_id("payload_fwd_first_bytes");
constexpr std::uint32_t kLookedAt = 64;   // bytes whose mix is measured
constexpr std::uint32_t kFirstBytes = 3;  // that are features themselves
static_assert(kFirst + kPayloadFeatures == kFeatureCount, "the group is the catalog's end");

// The code of a feature of both ways: `fwd` names the forward one, the other follows it.
[[nodiscard]] std::uint8_t& way_code(
    PayloadState& state, std::uint16_t fwd, std::size_t way, std::size_t apart = 1) noexcept {
    return state.codes[fwd - kFirst + way * apart];
}
[[nodiscard]] std::uint8_t& code(PayloadState& state, std::uint16_t id) noexcept {
    return state.codes[id - kFirst];
}

#define WEIR_WAY(name) way_code(state, feature_id("payload_fwd_" name), way)
#define WEIR_CODE(name) code(state, feature_id("payload_" name))

[[nodiscard]] std::uint8_t to_u8(std::uint32_t value) noexcept {
    return static_cast<std::uint8_t>(std::min(value, 255U));
}
void raise(std::uint8_t& most, std::uint32_t value) noexcept {
    most = std::max(most, to_u8(value));
}
void count(std::uint8_t& counter) noexcept {
    counter = static_cast<std::uint8_t>(counter + (counter != 0xff ? 1 : 0));
}

// log2 in 1/65536, by squaring: whole numbers only, the same everywhere.
[[nodiscard]] constexpr std::uint32_t log2_q16(std::uint32_t value) noexcept {
    std::uint32_t whole = 0;
    while ((value >> whole) > 1) {
        ++whole;
    }
    std::uint64_t mantissa = (std::uint64_t{value} << 31U) >> whole;  // 1 … 2, in 2^-31
    std::uint32_t out = whole << 16U;
    for (std::uint32_t bit = 1U << 15U; bit != 0; bit >>= 1U) {
        mantissa = (mantissa * mantissa) >> 31U;
        if (mantissa >= std::uint64_t{1} << 32U) {
            mantissa >>= 1U;
            out |= bit;
        }
    }
    return out;
}
constexpr std::uint32_t kMostCounted = 256;
constexpr auto kLog2 = [] {
    std::array<std::uint32_t, kMostCounted + 1> out{};
    for (std::uint32_t n = 1; n <= kMostCounted; ++n) {
        out[n] = log2_q16(n);
    }
    return out;
}();

// How the bytes of a stretch are spread: at most kMostCounted of them.
class Spread {
  public:
    void add(std::uint8_t byte) noexcept {
        ++counts_[byte];
        ++bytes_;
        printable_ += (byte >= ' ' && byte < 0x7f) || byte == '\r' || byte == '\n' || byte == '\t';
    }
    [[nodiscard]] std::uint32_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::uint32_t printable() const noexcept { return printable_; }
    /// Shannon's, in 1/32 bit, rounded down.
    [[nodiscard]] std::uint32_t entropy() const noexcept {
        if (bytes_ == 0) {
            return 0;
        }
        std::uint64_t sum = 0;
        for (const std::uint16_t n : counts_) {
            sum += std::uint64_t{n} * kLog2[n];
        }
        return static_cast<std::uint32_t>((kLog2[bytes_] - sum / bytes_) >> 11U);
    }
    [[nodiscard]] std::uint32_t most_entropy() const noexcept { return kLog2[bytes_] >> 11U; }

  private:
    std::array<std::uint16_t, 256> counts_{};
    std::uint32_t bytes_ = 0;
    std::uint32_t printable_ = 0;
};

// A 16-bit field within the first six bytes that tells the payload's length, whole or from behind it: 1 + 2 · its
// offset, one more if little endian; 0: none.
[[nodiscard]] std::uint32_t length_field(const PayloadView& p) noexcept {
    constexpr std::uint32_t kLeast = 8;  // shorter payloads hold small numbers by chance
    if (p.bytes < kLeast || p.bytes > 0xffff) {
        return 0;
    }
    for (std::uint32_t at = 0; at <= 4; ++at) {
        const auto tells = [&](std::uint32_t value) {
            return value == p.bytes || value + at + 2 == p.bytes || value + at + 4 == p.bytes;
        };
        if (tells(p.be16(at))) {
            return 1 + 2 * at;
        }
        if (tells(p.le16(at))) {
            return 2 + 2 * at;
        }
    }
    return 0;
}

// What no protocol is told of.
[[nodiscard]] PayloadKind plain_kind(const Spread& spread) noexcept {
    constexpr std::uint32_t kSlack = 15;  // 1/32 bit: random bytes repeat a little
    if (spread.printable() * 16 >= spread.bytes() * 15) {
        return PayloadKind::text;
    }
    return spread.entropy() + kSlack >= spread.most_entropy() ? PayloadKind::opaque
                                                              : PayloadKind::binary;
}

void first_of_way(PayloadState& state, const PayloadView& p, std::size_t way) noexcept {
    Spread spread;
    for (std::uint32_t i = 0; i < std::min(p.readable, kLookedAt); ++i) {
        spread.add(p.data[i]);
    }
    WEIR_WAY("first_bytes") = log_code(to_float(p.bytes), kLogUnit);
    WEIR_WAY("text") = to_u8(spread.printable() * 64 / std::max(spread.bytes(), 1U));
    WEIR_WAY("entropy") = to_u8(spread.entropy());
    WEIR_WAY("length_field") = to_u8(length_field(p));
    for (std::uint32_t i = 0; i < kFirstBytes; ++i) {
        (&way_code(state, feature_id("payload_fwd_byte_1"), way, kFirstBytes))[i] = to_u8(p.u8(i));
    }
    WEIR_WAY("kind") = static_cast<std::uint8_t>(plain_kind(spread));
}

// RTP that goes on: version, source and the next number. Random bytes do not.
[[nodiscard]] bool continues_rtp(
    const PayloadState& state,
    const PayloadView& p,
    std::size_t way,
    std::uint16_t source) noexcept {
    const auto& before = state.previous[way];
    const std::uint32_t next = ((std::uint32_t{before[2]} << 8U | before[3]) + 1) & 0xffffU;
    const std::uint32_t second = p.u8(1);
    return (before[0] & 0xc0U) == 0x80U && (p.u8(0) & 0xc0U) == 0x80U && p.bytes >= 12 &&
           (second < 200 || second > 207) && source == state.source[way] && p.be16(2) == next;
}

[[nodiscard]] PayloadKind rtp_kind(std::uint32_t type) noexcept {
    return type <= 18                ? PayloadKind::rtp_audio
           : type == 33              ? PayloadKind::transport_stream
           : type >= 25 && type < 35 ? PayloadKind::rtp_video
                                     : PayloadKind::rtp;
}

// Against the payload before, the same way.
void compare_with_previous(PayloadState& state, const PayloadView& p, std::size_t way) noexcept {
    const auto& before = state.previous[way];
    std::uint32_t same = 0;
    bool counts = false;
    const std::uint32_t most = std::min<std::uint32_t>(p.readable, 8);
    for (std::uint32_t i = 0; i < most; ++i) {
        same += before[i] == p.data[i] ? 1 : 0;
        if (i + 1 < most) {
            const std::uint32_t big = std::uint32_t{before[i]} << 8U | before[i + 1];
            const std::uint32_t little = std::uint32_t{before[i + 1]} << 8U | before[i];
            counts = counts || p.be16(i) == ((big + 1) & 0xffffU) ||
                     p.le16(i) == ((little + 1) & 0xffffU);
        }
    }
    WEIR_WAY("constant_bytes") = to_u8(same);
    if (counts) {
        count(WEIR_WAY("counter_packets"));
    }
}

// ---- shapes of single protocols -------------------------------------------------------------------------------------

// RFC 8446, 4.1.2, as far as the hello's first kMostReadable bytes go.
void tls_shape(PayloadState& state, const PayloadView& p) noexcept {
    constexpr std::uint32_t kSession = 43;
    constexpr std::uint32_t kMostExtensions = 48;
    std::uint32_t at = kSession + 1 + p.u8(kSession);
    const std::uint32_t suites = p.be16(at);
    at += 2 + suites;
    at += 1 + p.u8(at);
    at += 2;
    std::uint32_t extensions = 0;
    std::uint32_t name = 0;
    std::uint32_t protocol = 0;
    for (; extensions < kMostExtensions && at + 4 <= p.readable; ++extensions) {
        const std::uint32_t type = p.be16(at);
        if (type == 0) {
            name = std::max(p.be16(at + 7), 1U);
        } else if (type == 16) {  // RFC 7301, 3.1
            protocol = p.has(at + 7, "h3")       ? 4
                       : p.has(at + 7, "h2")     ? 3
                       : p.has(at + 7, "http/1") ? 2
                                                 : 1;
        }
        at += 4 + p.be16(at + 2);
    }
    raise(WEIR_CODE("tls_ciphers"), suites / 2);
    raise(WEIR_CODE("tls_extensions"), extensions);
    raise(WEIR_CODE("tls_name_bytes"), name);
    raise(WEIR_CODE("tls_protocol"), protocol);
}

void dns_shape(PayloadState& state, const PayloadView& p) noexcept {
    constexpr std::uint32_t kName = 12;
    std::uint32_t end = kName;
    if (!is_dns_name(p, end)) {
        return;
    }
    Spread spread;
    std::uint32_t labels = 0;
    for (std::uint32_t at = kName; at < end && p.u8(at) != 0 && p.u8(at) < 0x40; ++labels) {
        const std::uint32_t next = at + 1 + p.u8(at);
        for (++at; at < next && at < end && spread.bytes() < kMostCounted; ++at) {
            spread.add(to_u8(p.u8(at)));
        }
        at = next;
    }
    raise(WEIR_CODE("dns_name_bytes"), spread.bytes());
    raise(WEIR_CODE("dns_labels"), labels);
    raise(WEIR_CODE("dns_name_entropy"), spread.entropy());
    WEIR_CODE("dns_type") = to_u8(p.be16(end));
    raise(WEIR_CODE("dns_answers"), p.be16(6));
}

[[nodiscard]] bool ends_header(const PayloadView& p) noexcept {
    for (std::uint32_t i = 0; i + 3 < p.readable; ++i) {
        if (p.data[i] == '\r' && p.be32(i) == 0x0d0a0d0a) {
            return true;
        }
    }
    return p.bytes > p.readable;  // may end where nobody looks
}

// A request's path: how long, and how many of its characters are seldom in one (RFC 3986, 2).
void http_shape(PayloadState& state, const PayloadView& p) noexcept {
    constexpr std::string_view kOdd = "%<>'\"(){}[];|\\`^*$";
    std::uint32_t at = 0;
    while (at < p.readable && p.data[at] != ' ') {
        ++at;
    }
    const std::uint32_t begin = ++at;
    std::uint32_t odd = 0;
    for (; at < p.readable && p.data[at] > ' '; ++at) {
        odd += kOdd.find(static_cast<char>(p.data[at])) != std::string_view::npos ? 1 : 0;
    }
    const std::uint32_t length = at > begin ? at - begin : 0;
    raise(WEIR_CODE("http_path_bytes"), log_code(to_float(length), kLogUnit));
    raise(WEIR_CODE("http_path_odd"), odd);
    if (!ends_header(p)) {
        count(WEIR_CODE("http_unfinished"));
    }
}

void shape_of(PayloadState& state, const PayloadView& p, PayloadKind kind, bool stream) noexcept {
    switch (kind) {
        case PayloadKind::tls_client_hello:
            tls_shape(state, p);
            break;
        case PayloadKind::dns_query:
        case PayloadKind::dns_response:
        case PayloadKind::netbios_name:
            dns_shape(state, stream ? p.from(2) : p);
            break;
        case PayloadKind::http_get:
        case PayloadKind::http_post:
        case PayloadKind::http_other:
        case PayloadKind::http_range:
        case PayloadKind::http_connect:
        case PayloadKind::http_media_request:
            http_shape(state, p);
            break;
        default:
            break;
    }
}

// Of its first 255 packets.
[[nodiscard]] unsigned payloads(const Flow& flow) noexcept {
    return unsigned{flow.payload_packets[0]} + flow.payload_packets[1];
}

[[nodiscard]] std::uint32_t stamp_of(const Flow& flow) noexcept {
    const std::uint64_t first = flow.first_us();
    return static_cast<std::uint32_t>(first ^ first >> 32U) | 1U;
}

}  // namespace

bool wants_payload(const Flow& flow, const PacketHeader& header, bool forward) noexcept {
    return header.payload_bytes != 0 && flow.all_packets() <= kEarlyPackets &&
           flow.payload_packets[forward ? 0 : 1] <= kPayloadPackets;
}

void update_payload(
    PayloadState& state,
    const Flow& flow,
    const PacketHeader& header,
    bool forward,
    const PayloadView& payload) noexcept {
    // A flow may begin in the very microsecond of the one whose place it took: its first payload says so, too.
    const std::uint32_t stamp = stamp_of(flow);
    if (payloads(flow) == 1) {
        state = PayloadState{};
        state.stamp = stamp;
    } else if (state.stamp != stamp) {
        return;
    }
    if (header.later_fragment || payload.readable == 0) {
        return;
    }
    const std::size_t way = forward ? 0 : 1;
    const bool first = WEIR_WAY("kind") == 0;
    const bool fresh = !is_protocol(code(state, feature_id("payload_fwd_kind"))) &&
                       !is_protocol(code(state, feature_id("payload_bwd_kind")));
    const auto source = static_cast<std::uint16_t>(payload.be16(8) * 31 + payload.be16(10));
    PayloadKind kind = recognise(payload, header.proto, fresh);
    if (first) {
        first_of_way(state, payload, way);
    } else {
        compare_with_previous(state, payload, way);
        if (header.proto == kProtoUdp && continues_rtp(state, payload, way, source)) {
            const std::uint32_t type = payload.u8(1) & 0x7fU;
            kind = rtp_kind(type);
            count(WEIR_WAY("rtp_packets"));
            WEIR_WAY("media_type") = to_u8(type + 1);
        }
    }
    if (kind != PayloadKind::none) {
        WEIR_WAY("kind") = static_cast<std::uint8_t>(kind);
        shape_of(state, payload, kind, header.proto == kProtoTcp);
    }
    WEIR_WAY("purpose") = static_cast<std::uint8_t>(WEIR_WAY("kind") >> 4U);
    if (first) {
        WEIR_WAY("first_kind") = WEIR_WAY("kind");
    }
    for (std::uint32_t i = 0; i < 8; ++i) {
        state.previous[way][i] = to_u8(payload.u8(i));
    }
    state.source[way] = source;
}

const PayloadState& payload_of(const PayloadState& state, const Flow& flow) noexcept {
    static constexpr PayloadState kNothing{};
    return payloads(flow) != 0 && state.stamp == stamp_of(flow) ? state : kNothing;
}

void compute_payload(const PayloadState& state, FeatureRow& row) noexcept {
    for (std::uint32_t i = 0; i < kPayloadFeatures; ++i) {
        const Encoder& encoder = kCatalogRows[kFirst + i].encoder;
        row.codes[kFirst + i] = state.codes[i];
        row.raw[kFirst + i] = encoder.kind == EncoderKind::log
                                  ? log_decode(state.codes[i], encoder.param)
                                  : static_cast<float>(state.codes[i]);
    }
}

}  // namespace weir::dataplane
