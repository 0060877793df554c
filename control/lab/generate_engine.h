// SPDX-License-Identifier: BSD-3-Clause
// Begins sessions and merges what they send by time: one heap of live sources, no packet kept.
#pragma once

#include "control/lab/generate_scenarios.h"

#include <functional>
#include <memory>
#include <vector>

namespace weir::lab::synth {

/// Takes finished frames in order of time. Returns false to stop. `opens`: first packet of its flow.
using FrameSink = std::function<bool(
    std::size_t scenario, Nanos at, const Packet& packet, Bytes frame, bool opens)>;

/// Indices of the scenarios that `options` choose, in the table's order. `options` are valid.
[[nodiscard]] std::vector<std::size_t> chosen_scenarios(const GenerateOptions& options);

/// One run. `options` are valid and outlive it. Thread: its owner's.
class Engine final : private Sink {
  public:
    Engine(const GenerateOptions& options, FrameSink out);
    ~Engine() override;

    /// Runs to the end of the capture, or until the sink or options.stop says so.
    void run();
    [[nodiscard]] std::uint64_t sessions(std::size_t scenario) const { return sessions_[scenario]; }
    [[nodiscard]] std::uint64_t held_back() const noexcept { return held_back_; }
    [[nodiscard]] std::size_t most_live() const noexcept { return most_live_; }

  private:
    struct Entry;
    void packet(const Packet& packet, bool opens) override;
    void spawn(std::unique_ptr<Source> source) override;
    void plan();
    void add_arrivals(std::vector<std::size_t> scenarios, double per_second);
    void begin_session(std::size_t scenario);
    void push(Entry entry);

    const GenerateOptions& options_;
    FrameSink out_;
    Ports ports_;
    Rng rng_;
    std::vector<Entry> heap_;
    std::vector<std::uint64_t> sessions_;
    std::unique_ptr<Frame> frame_;
    Nanos now_ = 0;
    Nanos end_ = 0;
    std::size_t scenario_ = 0;  ///< of the source at work
    std::uint64_t order_ = 0;
    std::uint64_t session_count_ = 0;
    std::uint64_t packets_ = 0;
    std::uint64_t held_back_ = 0;
    std::size_t most_live_ = 0;
    bool stopped_ = false;
};

}  // namespace weir::lab::synth
