// SPDX-License-Identifier: BSD-3-Clause
// Steps back: the model before the active one, and what becomes of the one that goes.
#include "control/registry/registry.h"

#include <utility>

namespace weir::control {

std::optional<ModelRegistry::Change> ModelRegistry::previous(std::size_t slot, Warnings& skipped) {
    auto& history = memory_.state.slots[config_.slots[slot].name].history;
    while (!history.empty()) {
        const auto key = history.back();
        history.pop_back();
        if (key == live_[slot].key) {
            continue;
        }
        if (key && !bar_of(*key).empty()) {
            skipped.push_back("passed over: " + key->label() + " is barred: " + bar_of(*key));
            continue;
        }
        auto change = key ? load(slot, *key) : Outcome<Change>(Change{slot, nullptr, {}, 0});
        if (!change) {
            skipped.push_back("passed over: " + change.error().error.line());
            continue;
        }
        change->trials = trials_without(slot, key);
        change->withdraw = live_[slot].model ? live_[slot].model->ref : std::uint16_t{0};
        return std::move(*change);
    }
    return std::nullopt;
}

Outcome<Activation> ModelRegistry::go_back(std::size_t slot) {
    const Memory before = memory_;
    Warnings skipped;
    auto change = previous(slot, skipped);
    if (!change) {
        memory_ = before;
        return refuse(
            FailureKind::precondition,
            {"slot " + config_.slots[slot].name,
             "",
             skipped.empty() ? "no model was active before" : skipped.back(),
             "activate one: `weirctl models list`, `weirctl models activate`"});
    }
    auto switched = switch_to(std::move(*change), History::pop);
    if (!switched) {
        memory_ = before;
        return switched;
    }
    switched->warnings.insert(switched->warnings.begin(), skipped.begin(), skipped.end());
    return switched;
}

Outcome<Activation> ModelRegistry::end_canary(std::size_t slot) {
    const ModelKey key = canary_of(slot)->state.key;
    auto change = plan_trial(slot, key, {key, Stage::verified, 0, false});
    if (!change) {
        return tl::unexpected(std::move(change.error()));
    }
    auto done = switch_to(std::move(*change), History::pop);
    if (done) {
        done->from = info_of(key);
    }
    return done;
}

/// The active model becomes a trial, or nothing, and the one before it is active again.
Outcome<ModelRegistry::Change> ModelRegistry::plan_step_back(
    std::size_t slot, const ModelKey& key, const StageRequest& request) {
    if (request.stage == Stage::canary && canary_of(slot)) {
        return refuse(
            FailureKind::precondition,
            {"model " + key.label(), "stage", "the slot has a canary already", "end it first"});
    }
    Warnings skipped;
    auto change = previous(slot, skipped);
    if (!change || (request.stage == Stage::canary && !change->model)) {
        return refuse(
            FailureKind::precondition,
            {"model " + key.label(),
             "stage",
             skipped.empty() ? "no model was active before it" : skipped.back(),
             "activate another one"});
    }
    if (request.stage == Stage::verified) {
        return std::move(*change);
    }
    if (change->trials->size() >= dataplane::kMaxTrials) {
        return refuse(
            FailureKind::exhausted,
            {"slot " + key.slot, "", "too many models are on trial already", "end one first"});
    }
    auto trial = trial_for(slot, key, request);
    if (!trial) {
        return tl::unexpected(std::move(trial.error()));
    }
    change->trials->push_back(std::move(*trial));
    return std::move(*change);
}

}  // namespace weir::control
