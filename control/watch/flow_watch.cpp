// SPDX-License-Identifier: BSD-3-Clause
#include "control/watch/flow_watch.h"

#include "config/load.h"
#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <utility>

namespace weir::control {

namespace {

constexpr std::size_t kRecords = 1024;
/// Of one turn, so that requests are not kept waiting.
constexpr int kRounds = 64;

[[nodiscard]] std::uint64_t rank(const dataplane::FlowRecord& flow, const FlowQuery& query) {
    switch (query.by) {
        case FlowOrder::bytes:
            return flow.bytes[0] + flow.bytes[1];
        case FlowOrder::packets:
            return std::uint64_t{flow.packets[0]} + flow.packets[1];
        case FlowOrder::score: {
            const auto& verdict = flow.verdicts.at(query.filter.slot.value_or(0));
            return verdict.cls == dataplane::kNoClass ? 0 : verdict.score;
        }
        case FlowOrder::recent:
            break;
    }
    return flow.last_ns;
}

/// Keeps the greatest `query.top` as a heap with the least in front.
void keep_greatest(
    std::vector<dataplane::FlowRecord>& heap,
    const dataplane::FlowRecord& flow,
    const FlowQuery& query) {
    const auto greater = [&](const auto& a, const auto& b) {
        return rank(a, query) > rank(b, query);
    };
    if (heap.size() < query.top) {
        heap.push_back(flow);
        std::push_heap(heap.begin(), heap.end(), greater);
    } else if (!heap.empty() && greater(flow, heap.front())) {
        std::pop_heap(heap.begin(), heap.end(), greater);
        heap.back() = flow;
        std::push_heap(heap.begin(), heap.end(), greater);
    }
}

}  // namespace

bool FlowFilter::lets_through(
    const dataplane::FlowRecord& record, const std::vector<std::string>& slots) const {
    constexpr std::uint8_t kWhole = 128;
    if (prefix && !config::covers(*prefix, {record.key.addr_lo, kWhole}) &&
        !config::covers(*prefix, {record.key.addr_hi, kWhole})) {
        return false;
    }
    if (also && !also(record)) {
        return false;
    }
    if (!slot && cls.empty() && min_score == 0) {
        return true;
    }
    for (std::size_t s = slot.value_or(0); s < (slot ? *slot + 1 : slots.size()); ++s) {
        const dataplane::Verdict& verdict = record.verdicts.at(s);
        if (verdict.cls != dataplane::kNoClass && verdict.score >= min_score &&
            (cls.empty() || dataplane::class_name(slots.at(s), verdict.cls) == cls)) {
            return true;
        }
    }
    return false;
}

// ---- one reader -----------------------------------------------------------------------------------------------------

VerdictFeed::Portion VerdictFeed::take(std::size_t most) {
    const std::lock_guard lock(mutex_);
    Portion portion = std::exchange(pending_, {});
    pending_.models = portion.models;
    if (portion.verdicts.size() > most) {
        const auto rest = portion.verdicts.begin() + static_cast<std::ptrdiff_t>(most);
        pending_.verdicts.assign(rest, portion.verdicts.end());
        portion.verdicts.erase(rest, portion.verdicts.end());
    }
    return portion;
}

std::uint64_t VerdictFeed::add(
    std::span<const dataplane::FlowRecord> records,
    const std::vector<std::string>& slots,
    std::uint64_t lost,
    const std::shared_ptr<const ModelLabels>& models) {
    const std::lock_guard lock(mutex_);
    pending_.models = models;
    std::uint64_t no_room = 0;
    for (const auto& record : records) {
        if (!filter_.lets_through(record, slots)) {
            continue;
        }
        if (pending_.verdicts.size() < kMostPending) {
            pending_.verdicts.push_back(record);
        } else {
            ++no_room;
        }
    }
    pending_.missed += lost + no_room;
    return no_room;
}

// ---- all of them ----------------------------------------------------------------------------------------------------

FlowWatch::FlowWatch(dataplane::Runtime& runtime, std::vector<std::string> slots)
    : runtime_(runtime),
      sampler_(runtime),
      slots_(std::move(slots)),
      records_(kRecords),
      models_(std::make_shared<const ModelLabels>()) {}

std::shared_ptr<VerdictFeed> FlowWatch::subscribe(FlowFilter filter) {
    auto feed = std::make_shared<VerdictFeed>(std::move(filter));
    feeds_.push_back(feed);
    if (!telling_) {
        while (runtime_.drain_verdicts(records_) == records_.size()) {
            // what workers still told after the last reader left
        }
        lost_ = runtime_.verdicts_lost();
        runtime_.tell_verdicts(true);
        telling_ = true;
    }
    return feed;
}

bool FlowWatch::query(FlowQuery query, std::function<void(FlowAnswer)> answer) {
    if (waiting_.size() + walking_.size() >= kMostQueries) {
        return false;
    }
    waiting_.push_back({std::move(query), std::move(answer), {}});
    return true;
}

TailLosses FlowWatch::losses() const {
    return {runtime_.verdicts_lost(), lost_by_readers_};
}

void FlowWatch::turn(Clock::time_point now) {
    learn_models();
    turn_verdicts();
    turn_walk(now);
    sampler_.turn(now);
}

/// A flow may carry a verdict of a model that is gone: labels are kept, up to as many as references there are.
void FlowWatch::learn_models() {
    const dataplane::Snapshot& snapshot = runtime_.publisher().current();
    if (snapshot.generation == generation_) {
        return;
    }
    generation_ = snapshot.generation;
    auto next = std::make_shared<ModelLabels>(*models_);
    for (const auto& slot : snapshot.slots) {
        if (slot.active) {
            (*next)[slot.active->ref] = {slot.active->name, slot.active->version};
        }
        for (const auto& trial : slot.trials) {
            (*next)[trial.model->ref] = {trial.model->name, trial.model->version};
        }
    }
    models_ = std::move(next);
}

void FlowWatch::turn_verdicts() {
    if (!telling_) {
        return;
    }
    feeds_.erase(
        std::remove_if(
            feeds_.begin(), feeds_.end(), [](const auto& feed) { return feed.expired(); }),
        feeds_.end());
    if (feeds_.empty()) {
        runtime_.tell_verdicts(false);
        telling_ = false;
    }
    for (int round = 0; round < kRounds; ++round) {
        const std::uint32_t taken = runtime_.drain_verdicts(records_);
        const std::uint64_t lost = runtime_.verdicts_lost();
        for (const auto& weak : feeds_) {
            if (const auto feed = weak.lock()) {
                lost_by_readers_ +=
                    feed->add(std::span(records_).first(taken), slots_, lost - lost_, models_);
            }
        }
        lost_ = lost;
        if (taken < records_.size()) {
            return;
        }
    }
}

void FlowWatch::begin_walk(Clock::time_point now) {
    walking_ = std::move(waiting_);
    waiting_.clear();
    progress_ = now;
    under_way_ = true;
    runtime_.start_walk();
}

void FlowWatch::turn_walk(Clock::time_point now) {
    if (!under_way_ && !waiting_.empty()) {
        begin_walk(now);
    }
    for (int round = 0; under_way_ && round < kRounds; ++round) {
        bool over = false;
        const std::uint32_t taken = runtime_.drain_walk(records_, over);
        for (const auto& record : std::span(records_).first(taken)) {
            for (Pending& pending : walking_) {
                ++pending.found.live;
                if (pending.query.filter.lets_through(record, slots_)) {
                    ++pending.found.matched;
                    keep_greatest(pending.found.flows, record, pending.query);
                }
            }
        }
        if (taken > 0) {
            progress_ = now;
        }
        if (over) {
            under_way_ = false;
            finish(true);
        }
        if (taken < records_.size()) {
            break;
        }
    }
    if (under_way_ && now - progress_ > kPatience) {
        finish(false);  // its flows go on being taken, for nobody, until the workers are through
        if (!waiting_.empty()) {
            walking_ = std::move(waiting_);
            waiting_.clear();
            finish(false);
        }
    }
}

void FlowWatch::finish(bool complete) {
    for (Pending& pending : std::exchange(walking_, {})) {
        const FlowQuery& query = pending.query;
        std::sort(
            pending.found.flows.begin(),
            pending.found.flows.end(),
            [&](const auto& a, const auto& b) { return rank(a, query) > rank(b, query); });
        pending.found.complete = complete;
        pending.found.models = models_;
        pending.found.overrides = runtime_.publisher().current().overrides;
        pending.answer(std::move(pending.found));
    }
}

}  // namespace weir::control
