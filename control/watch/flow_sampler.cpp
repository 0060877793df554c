// SPDX-License-Identifier: BSD-3-Clause
#include "control/watch/flow_sampler.h"

#include <utility>

namespace weir::control {

bool FlowSampler::ask(
    const dataplane::FlowKey& key,
    std::chrono::milliseconds wait,
    std::function<bool()> wanted,
    Answer answer) {
    if (pending_.size() >= kMost) {
        return false;
    }
    pending_.push_back({key, wait, std::move(wanted), std::move(answer)});
    return true;
}

void FlowSampler::turn(Clock::time_point now) {
    if (pending_.empty()) {
        return;
    }
    Pending& first = pending_.front();
    if (!first.asked && runtime_.ask_sample(first.key)) {
        first.asked = true;
        first.until = now + first.wait;
    } else if (!first.until) {
        first.until = now + kPatience;
    }
    std::optional<dataplane::FlowSample> sample(std::in_place);
    if (!first.asked || !runtime_.take_sample(*sample)) {
        if (now < *first.until && first.wanted()) {
            return;
        }
        sample.reset();
        if (first.asked) {
            runtime_.withdraw_sample();
        }
    }
    const Answer answer = std::move(first.answer);
    pending_.pop_front();
    answer(sample);
}

}  // namespace weir::control
