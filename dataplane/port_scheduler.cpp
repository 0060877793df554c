// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/port_scheduler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_sched.h>

namespace weir::dataplane {

namespace {

constexpr std::uint32_t kStrictQueues = RTE_SCHED_TRAFFIC_CLASSES_PER_PIPE - 1;
static_assert(RTE_SCHED_QUEUES_PER_PIPE == kShaperQueues);
static_assert(kStrictQueues == config::kMaxStrictQueues);

// Of the average queue length: it follows over about 2^n packets. Floyd's 0.002 is n = 9, meant for long queues.
constexpr std::uint16_t kAverageLog2 = 7;

[[nodiscard]] std::uint64_t bytes_per_s(std::uint32_t kbps) noexcept {
    return std::uint64_t{kbps} * 125;
}

// rte_sched's clock counts bytes at this rate, which its packets move on as well, as if a card of that rate sent them:
// at the shaped rate itself nothing would ever be held back. It keeps whole 1/256 cycles a byte, so the rate is chosen
// to be one of those.
[[nodiscard]] std::uint64_t clock_rate(std::uint64_t shaped) noexcept {
    constexpr std::uint64_t kLeast = 125'000'000;  // 1 Gb/s
    constexpr std::uint64_t kTimes = 8;
    constexpr std::uint64_t kFraction = 256;
    const std::uint64_t fractions = rte_get_tsc_hz() * kFraction;
    const std::uint64_t wanted = std::max(kLeast, shaped * kTimes);
    // At 1/256 cycles a byte the step is coarse, but the rate it stands for is exact.
    const std::uint64_t a_byte = std::max<std::uint64_t>(2, fractions / wanted);
    return std::max(fractions / a_byte, shaped + shaped / 2);
}

// Classes are capped by the period: long enough for many frames of the slowest, as what is left of a period is lost.
[[nodiscard]] std::uint64_t period_ms(std::uint64_t slowest, std::uint32_t frame) noexcept {
    constexpr std::uint64_t kFrames = 128;
    return std::clamp<std::uint64_t>(kFrames * frame * 1000 / slowest, 10, 200);
}

struct Rates {
    std::uint64_t rate = 0;
    std::uint64_t burst = 0;
    std::uint64_t period = 0;
    std::array<std::uint64_t, RTE_SCHED_TRAFFIC_CLASSES_PER_PIPE> classes{};
};

[[nodiscard]] Rates rates_of(
    const config::Shaping& shaping,
    std::uint32_t kbps,
    std::uint64_t burst,
    std::uint32_t frame) noexcept {
    Rates out;
    out.rate = bytes_per_s(kbps);
    out.burst = std::max<std::uint64_t>(burst, frame);
    out.classes.fill(out.rate);
    std::uint64_t slowest = out.rate;
    std::size_t strict = 0;
    for (const config::ShapedQueue& queue : shaping.queues) {
        if (queue.weight != 0) {
            break;
        }
        const double share = std::ceil(static_cast<double>(out.rate) * queue.max_share);
        out.classes[strict] = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(share));
        slowest = std::min(slowest, out.classes[strict]);
        ++strict;
    }
    out.period = period_ms(slowest, frame);
    // A class whose period holds less than a frame would never send one.
    for (std::uint64_t& rate : out.classes) {
        rate = std::min(out.rate, std::max(rate, std::uint64_t{frame} * 1000 / out.period + 1));
    }
    return out;
}

[[nodiscard]] rte_sched_subport_profile_params port_profile(const Rates& rates) noexcept {
    rte_sched_subport_profile_params out{};
    out.tb_rate = rates.rate;
    out.tb_size = rates.burst;
    out.tc_period = rates.period;
    std::copy(rates.classes.begin(), rates.classes.end(), std::begin(out.tc_rate));
    return out;
}

[[nodiscard]] rte_sched_pipe_params pipe_profile(
    const Rates& rates, const config::Shaping& shaping) noexcept {
    rte_sched_pipe_params out{};
    out.tb_rate = rates.rate;
    out.tb_size = rates.burst;
    out.tc_period = rates.period;
    std::copy(rates.classes.begin(), rates.classes.end(), std::begin(out.tc_rate));
    out.tc_ov_weight = 1;
    std::size_t weighted = 0;
    std::fill(std::begin(out.wrr_weights), std::end(out.wrr_weights), std::uint8_t{1});
    for (const config::ShapedQueue& queue : shaping.queues) {
        if (queue.weight != 0) {
            out.wrr_weights[weighted++] = static_cast<std::uint8_t>(queue.weight);
        }
    }
    return out;
}

// rte_sched takes turns between words of its bitmap, four pipes each: alone in its word a subscriber has a turn of its own.
// Where subscribers are so many that this costs too much memory, they stand side by side.
constexpr std::size_t kPipesAWord = 4;
constexpr std::size_t kMostSpread = 256;

[[nodiscard]] std::uint32_t spread_of(std::size_t subscribers) noexcept {
    return subscribers < kMostSpread ? kPipesAWord : 1;
}

[[nodiscard]] std::uint32_t power_of_two(std::size_t least) noexcept {
    std::uint32_t out = 1;
    while (out < least) {
        out <<= 1U;
    }
    return out;
}

// The port's own bucket, kept beside rte_sched's: it is asked for packets only when a frame may leave. Asked in vain it
// walks all subscribers and stands where it stood, so that the same few would always be first when credit comes.
struct Pace {
    double bytes_a_cycle = 0;
    double burst = 0;
    double least = 0;  ///< bytes that a frame may need, and some more
    double credit = 0;
    std::uint64_t at = 0;
    std::uint32_t overhead = 0;

    [[nodiscard]] bool ready(std::uint64_t now) noexcept {
        credit = std::min(burst, credit + static_cast<double>(now - at) * bytes_a_cycle);
        at = now;
        return credit >= least;
    }
    void sent(std::uint32_t bytes) noexcept { credit -= bytes + overhead; }
};

struct Queue {
    std::uint32_t length = 0;
    std::uint64_t empty_since = 0;  ///< cycles
    rte_red red{};
};

}  // namespace

struct PortScheduler::State {
    rte_sched_port* port = nullptr;
    std::vector<Queue> queues;  ///< pipe * kShaperQueues + queue, as rte_sched numbers them
    std::uint32_t spread = 1;   ///< pipes from one subscriber's to the next one's
    std::uint32_t held = 0;
    std::uint32_t queue_packets = 0;
    std::uint32_t max_packets = 0;
    bool red = false;
    bool ecn = false;
    rte_red_config red_config{};
    std::uint64_t memory_cycles = 0;  ///< how long the average of a queue looks back
    Pace pace;

    [[nodiscard]] Queue& queue(ShaperPlace place) noexcept {
        return queues[std::size_t{place.pipe} * spread * kShaperQueues + place.queue];
    }
};

PortScheduler::PortScheduler() : state_(std::make_unique<State>()) {}

PortScheduler::~PortScheduler() {
    rte_sched_port_free(state_->port);  // and what waits in it; nullptr is nothing
}

Result<std::unique_ptr<PortScheduler>> PortScheduler::create(
    const config::Shaping& shaping,
    const config::ShapedPort& port,
    std::uint32_t mtu,
    const std::string& name) {
    const auto no_memory = [&](const char* what) {
        return fail(
            {},
            "shaping.ports",
            std::string("cannot set up ") + what + " for port '" + port.port + "'",
            "raise eal.memory_mb, or lower shaping.queue_packets or the number of subscribers");
    };
    const std::uint32_t frame = mtu + 22 + shaping.frame_overhead_bytes;  // header, two VLAN tags
    std::unique_ptr<PortScheduler> out(new PortScheduler);
    State& state = *out->state_;
    state.spread = spread_of(shaping.subscribers.size());
    const std::uint32_t pipes = power_of_two((shaping.subscribers.size() + 1) * state.spread);
    state.queues.resize(std::size_t{pipes} * kShaperQueues);
    state.queue_packets = shaping.queue_packets;
    state.max_packets = shaping.max_packets;

    const Rates whole = rates_of(shaping, port.rate_kbps, port.burst_bytes, frame);
    const auto burst = static_cast<double>(whole.burst);
    state.pace = {
        static_cast<double>(whole.rate) / static_cast<double>(rte_get_tsc_hz()),
        burst,
        std::min(burst, frame * 1.25),
        burst,
        rte_rdtsc(),
        shaping.frame_overhead_bytes};
    rte_sched_subport_profile_params profile = port_profile(whole);
    rte_sched_port_params params{};
    params.name = name.c_str();
    params.socket = rte_socket_id() == LCORE_ID_ANY ? 0 : static_cast<int>(rte_socket_id());
    params.rate = clock_rate(whole.rate);
    params.mtu = frame;
    params.frame_overhead = shaping.frame_overhead_bytes;
    params.n_subports_per_port = 1;
    params.subport_profiles = &profile;
    params.n_subport_profiles = 1;
    params.n_max_subport_profiles = 1;
    params.n_pipes_per_subport = pipes;
    state.port = rte_sched_port_config(&params);
    if (state.port == nullptr) {
        return no_memory("the scheduler");
    }

    // One profile a rate: pipe 0's is the port's own.
    std::vector<std::uint32_t> rates{port.rate_kbps};
    std::vector<std::uint32_t> profile_of{0};
    for (const config::Subscriber& subscriber : shaping.subscribers) {
        const auto at = std::find(rates.begin(), rates.end(), subscriber.rate_kbps);
        profile_of.push_back(static_cast<std::uint32_t>(at - rates.begin()));
        if (at == rates.end()) {
            rates.push_back(subscriber.rate_kbps);
        }
    }
    std::vector<rte_sched_pipe_params> profiles;
    for (const std::uint32_t kbps : rates) {
        profiles.push_back(pipe_profile(rates_of(shaping, kbps, port.burst_bytes, frame), shaping));
    }
    rte_sched_subport_params subport{};
    subport.n_pipes_per_subport_enabled = pipes;
    std::fill(
        std::begin(subport.qsize),
        std::end(subport.qsize),
        static_cast<std::uint16_t>(power_of_two(shaping.queue_packets)));
    subport.pipe_profiles = profiles.data();
    subport.n_pipe_profiles = static_cast<std::uint32_t>(profiles.size());
    subport.n_max_pipe_profiles = subport.n_pipe_profiles;
    if (rte_sched_subport_config(state.port, 0, &subport, 0) != 0) {
        return no_memory("queues");
    }
    for (std::uint32_t pipe = 0; pipe < profile_of.size(); ++pipe) {
        if (rte_sched_pipe_config(
                state.port, 0, pipe * state.spread, static_cast<std::int32_t>(profile_of[pipe])) !=
            0) {
            return no_memory("a subscriber's queues");
        }
    }
    if (shaping.red.min_packets != 0) {
        state.red = rte_red_config_init(
                        &state.red_config,
                        kAverageLog2,
                        static_cast<std::uint16_t>(shaping.red.min_packets),
                        static_cast<std::uint16_t>(shaping.red.max_packets),
                        static_cast<std::uint16_t>(shaping.red.one_in)) == 0;
        if (!state.red) {
            return no_memory("early detection");
        }
        state.ecn = shaping.red.ecn;
        state.memory_cycles = (rte_get_tsc_hz() * frame / whole.rate) << kAverageLog2;
        for (Queue& queue : state.queues) {
            rte_red_rt_data_init(&queue.red);
        }
    }
    return out;
}

ShaperVerdict PortScheduler::offer(ShaperPlace place, bool ecn_capable) noexcept {
    State& state = *state_;
    Queue& queue = state.queue(place);
    if (queue.length >= state.queue_packets || state.held >= state.max_packets) {
        return ShaperVerdict::full;
    }
    if (!state.red) {
        return ShaperVerdict::wait;
    }
    if (queue.length == 0) {
        // Our own rule for a pause: that of rte_red.h shifts by a negative number where the pause is short.
        if (rte_rdtsc() - queue.empty_since > state.memory_cycles) {
            rte_red_rt_data_init(&queue.red);
        }
        return ShaperVerdict::wait;
    }
    constexpr int kBeyondAll = 1;  // the average is at max_packets: marks have not helped
    const int chosen = rte_red_enqueue(&state.red_config, &queue.red, queue.length, 0);
    if (chosen == 0) {
        return ShaperVerdict::wait;
    }
    return state.ecn && ecn_capable && chosen != kBeyondAll ? ShaperVerdict::mark
                                                            : ShaperVerdict::early;
}

void PortScheduler::enqueue(rte_mbuf* packet, ShaperPlace place) noexcept {
    State& state = *state_;
    const std::uint32_t strict = std::min<std::uint32_t>(place.queue, kStrictQueues);
    rte_sched_port_pkt_write(
        state.port,
        packet,
        0,
        place.pipe * state.spread,
        strict,
        place.queue - strict,
        RTE_COLOR_GREEN);
    // It fits: no queue of rte_sched is shorter than ours.
    if (rte_sched_port_enqueue(state.port, &packet, 1) == 1) {
        ++state.queue(place).length;
        ++state.held;
    }
}

std::uint32_t PortScheduler::dequeue(std::span<rte_mbuf*> out) noexcept {
    State& state = *state_;
    if (state.held == 0 || !state.pace.ready(rte_rdtsc())) {
        return 0;
    }
    const int taken =
        rte_sched_port_dequeue(state.port, out.data(), static_cast<std::uint32_t>(out.size()));
    for (int i = 0; i < taken; ++i) {
        const rte_mbuf& packet = *out[static_cast<std::size_t>(i)];
        state.pace.sent(packet.pkt_len);
        Queue& queue = state.queues[packet.hash.sched.queue_id];
        if (--queue.length == 0 && state.red) {
            queue.empty_since = rte_rdtsc();
        }
    }
    state.held -= static_cast<std::uint32_t>(taken);
    return static_cast<std::uint32_t>(taken);
}

std::uint8_t PortScheduler::queue_of(const rte_mbuf& packet) noexcept {
    return packet.hash.sched.queue_id % kShaperQueues;
}

std::uint32_t PortScheduler::held() const noexcept {
    return state_->held;
}

}  // namespace weir::dataplane
