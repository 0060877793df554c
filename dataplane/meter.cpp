// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/meter.h"

#include <algorithm>
#include <cstring>

#include <rte_meter.h>

namespace weir::dataplane {

static_assert(static_cast<int>(Colour::yellow) == RTE_COLOR_YELLOW);
static_assert(static_cast<int>(Colour::red) == RTE_COLOR_RED);

namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::uint64_t kPeriodNs = 10'000;

struct Rate {
    std::uint64_t period_ns = kSecondNs;
    std::uint64_t bytes = 0;
};

// A period's bytes are a small part of the burst that they fill, so that none spill over.
[[nodiscard]] Rate rate_of(std::uint32_t kbps, std::uint64_t burst) noexcept {
    constexpr std::uint64_t kLeastPeriods = 16;  // that fill a burst
    constexpr std::uint64_t kBytesPerKbit = 125;
    const std::uint64_t bytes_per_s = std::uint64_t{kbps} * kBytesPerKbit;
    if (bytes_per_s == 0) {
        return {};
    }
    const std::uint64_t bytes = std::max<std::uint64_t>(
        1, std::min(bytes_per_s * kPeriodNs / kSecondNs, burst / kLeastPeriods));
    return {(kSecondNs * bytes + bytes_per_s / 2) / bytes_per_s, bytes};
}

[[nodiscard]] std::uint64_t mixed(std::uint64_t id, std::uint64_t value) noexcept {
    id = (id ^ value) * 0x9e3779b97f4a7c15U;
    return id ^ id >> 29U;
}

[[nodiscard]] Colour single_rate(
    const CompiledMeter& meter,
    MeterState& state,
    bool fresh,
    std::uint64_t now_ns,
    std::uint32_t bytes) noexcept {
    rte_meter_srtcm_profile profile{
        meter.cbs, meter.excess_burst, meter.cir_period_ns, meter.cir_bytes};
    rte_meter_srtcm bucket{state.words[0], state.words[1], state.words[2]};
    if (fresh) {
        bucket = {now_ns, meter.cbs, meter.excess_burst};
    }
    const auto colour = rte_meter_srtcm_color_blind_check(
        &bucket, &profile, std::max<std::uint64_t>(now_ns, bucket.time), bytes);
    state.words = {bucket.time, bucket.tc, bucket.te, 0};
    return static_cast<Colour>(colour);
}

// RFC 2698 and 4115 have the same words: two times and two buckets.
template <typename Profile, typename Bucket, typename Check>
[[nodiscard]] Colour two_rates(
    const CompiledMeter& meter,
    MeterState& state,
    bool fresh,
    std::uint64_t now_ns,
    std::uint32_t bytes,
    Check check) noexcept {
    Profile profile{
        meter.cbs,
        meter.excess_burst,
        meter.cir_period_ns,
        meter.cir_bytes,
        meter.excess_period_ns,
        meter.excess_bytes};
    if (fresh) {
        state.words = {now_ns, now_ns, meter.cbs, meter.excess_burst};
    }
    Bucket bucket{state.words[0], state.words[1], state.words[2], state.words[3]};
    const std::uint64_t now = std::max({now_ns, state.words[0], state.words[1]});
    const auto colour = check(&bucket, &profile, now, bytes);
    std::memcpy(state.words.data(), &bucket, sizeof(bucket));
    return static_cast<Colour>(colour);
}

}  // namespace

CompiledMeter compile_meter(const config::Meter& meter, std::uint64_t index) {
    const Rate committed = rate_of(meter.cir_kbps, meter.cbs_bytes);
    const Rate excess = rate_of(meter.excess_kbps, meter.excess_bytes);
    CompiledMeter out;
    out.cbs = meter.cbs_bytes;
    out.excess_burst = meter.excess_bytes;
    out.cir_period_ns = committed.period_ns;
    out.cir_bytes = committed.bytes;
    out.excess_period_ns = excess.period_ns;
    out.excess_bytes = excess.bytes;
    out.kind = meter.algorithm;
    out.per = meter.per;
    out.yellow = meter.yellow;
    out.red = meter.red;
    std::uint64_t id = mixed(1, index);
    for (const std::uint64_t value :
         {out.cbs,
          out.excess_burst,
          out.cir_period_ns,
          out.cir_bytes,
          out.excess_period_ns,
          out.excess_bytes,
          static_cast<std::uint64_t>(out.kind) << 8U | static_cast<std::uint64_t>(out.per)}) {
        id = mixed(id, value);
    }
    out.id = id | 1U;  // never 0, which is an unused state's
    return out;
}

Colour meter_packet(
    const CompiledMeter& meter,
    std::uint64_t id,
    MeterState& state,
    std::uint64_t now_ns,
    std::uint32_t bytes) noexcept {
    const bool fresh = state.id != id;
    state.id = id;
    switch (meter.kind) {
        case config::MeterKind::srtcm:
            return single_rate(meter, state, fresh, now_ns, bytes);
        case config::MeterKind::trtcm:
            return two_rates<rte_meter_trtcm_profile, rte_meter_trtcm>(
                meter, state, fresh, now_ns, bytes, rte_meter_trtcm_color_blind_check);
        case config::MeterKind::trtcm4115:
            break;
    }
    return two_rates<rte_meter_trtcm_rfc4115_profile, rte_meter_trtcm_rfc4115>(
        meter, state, fresh, now_ns, bytes, rte_meter_trtcm_rfc4115_color_blind_check);
}

}  // namespace weir::dataplane
