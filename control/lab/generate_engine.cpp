// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/generate_engine.h"

#include <algorithm>

namespace weir::lab::synth {

// A live source. Equal times are served in the order of arrival, so that a run never depends on the heap's layout.
struct Engine::Entry {
    Nanos at = 0;
    std::uint64_t order = 0;
    std::size_t scenario = 0;
    std::unique_ptr<Source> source;

    // For a heap with the earliest on top.
    [[nodiscard]] bool operator<(const Entry& o) const noexcept {
        return at != o.at ? at > o.at : order > o.order;
    }
};

std::vector<std::size_t> chosen_scenarios(const GenerateOptions& options) {
    std::vector<std::size_t> chosen;
    const auto all = scenarios();
    const auto& names = options.scenarios;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const double rate =
            all[i].attack() ? options.attack_share : options.benign_flows_per_second;
        if (names.empty() ? rate > 0
                          : std::find(names.begin(), names.end(), all[i].name) != names.end()) {
            chosen.push_back(i);
        }
    }
    return chosen;
}

Engine::Engine(const GenerateOptions& options, FrameSink out)
    : options_(options),
      out_(std::move(out)),
      ports_(scenarios().size(), mix64(options.seed)),
      rng_(mix64(options.seed + 1)),
      sessions_(scenarios().size()),
      frame_(std::make_unique<Frame>()),
      end_(options.seconds * kSecond) {}

Engine::~Engine() = default;

void Engine::push(Entry entry) {
    heap_.push_back(std::move(entry));
    std::push_heap(heap_.begin(), heap_.end());
    most_live_ = std::max(most_live_, heap_.size());
}

void Engine::spawn(std::unique_ptr<Source> source) {
    const Nanos at = source->next();
    if (at >= end_) {
        return;
    }
    if (heap_.size() + 1 >= options_.most_live_sources) {
        ++held_back_;
        return;
    }
    push({std::max(at, now_), order_++, scenario_, std::move(source)});
}

void Engine::packet(const Packet& packet, bool opens) {
    if (stopped_) {
        return;
    }
    build_frame(packet, *frame_);
    ++packets_;
    stopped_ =
        !out_(scenario_, now_, packet, frame_->view(), opens) || packets_ == options_.packets;
}

void Engine::begin_session(std::size_t scenario) {
    scenario_ = scenario;
    ++sessions_[scenario];
    const std::uint64_t seed = mix64(mix64(options_.seed + 2) + session_count_++);
    Session session({options_, ports_, end_}, scenario, now_, seed, *this);
    scenarios()[scenario].start(session);
}

// Sessions of these scenarios begin at random, by their weights.
void Engine::add_arrivals(std::vector<std::size_t> of, double per_second) {
    if (of.empty() || per_second <= 0) {
        return;
    }
    const auto mean = static_cast<Nanos>(static_cast<double>(kSecond) / per_second);
    std::uint64_t weights = 0;
    for (const auto scenario : of) {
        weights += scenarios()[scenario].weight;
    }
    spawn(make_repeater(
        rng_.exponential(mean), [this, of = std::move(of), mean, weights](Nanos now, Sink&) {
            std::uint64_t left = rng_.below(weights);
            std::size_t i = 0;
            for (; left >= scenarios()[of[i]].weight; ++i) {
                left -= scenarios()[of[i]].weight;
            }
            const Nanos next = now + rng_.exponential(mean);
            begin_session(of[i]);
            return std::optional(next);
        }));
}

void Engine::plan() {
    std::vector<std::size_t> benign;
    std::vector<std::size_t> attacks;
    const Nanos early = std::min(end_ / 4, 5 * kSecond);
    for (const auto scenario : chosen_scenarios(options_)) {
        (scenarios()[scenario].attack() ? attacks : benign).push_back(scenario);
        // One session of each for certain, early enough to be seen.
        spawn(make_repeater(rng_.below(early), [this, scenario](Nanos, Sink&) {
            begin_session(scenario);
            return std::optional<Nanos>();
        }));
    }
    const double rate = options_.benign_flows_per_second;
    add_arrivals(std::move(benign), rate);
    add_arrivals(std::move(attacks), rate * options_.attack_share / (1.0 - options_.attack_share));
}

void Engine::run() {
    plan();
    const std::uint64_t step_s = std::max<std::uint64_t>(1, options_.seconds / 50);
    Nanos report_at = options_.progress ? step_s * kSecond : kNever;
    while (!heap_.empty() && !stopped_) {
        std::pop_heap(heap_.begin(), heap_.end());
        Entry entry = std::move(heap_.back());
        heap_.pop_back();
        now_ = entry.at;
        while (now_ >= report_at) {
            options_.progress(report_at / kSecond, packets_);
            report_at += step_s * kSecond;
        }
        scenario_ = entry.scenario;
        entry.source->step(*this);
        const Nanos next = entry.source->next();
        if (next < end_) {
            entry.at = std::max(next, now_);
            push(std::move(entry));
        }
        stopped_ = stopped_ || (options_.stop != nullptr && *options_.stop != 0);
    }
}

}  // namespace weir::lab::synth
