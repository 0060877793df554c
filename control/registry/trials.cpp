// SPDX-License-Identifier: BSD-3-Clause
// Models on trial: shadow, canary, and every step forth and back.
#include "control/registry/registry.h"
#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <utility>

#include <sodium.h>
#include <spdlog/spdlog.h>

namespace weir::control {

namespace {

std::string bar_key(const ModelKey& key) {
    return key.slot + "/" + key.label();
}

std::string label(const std::optional<ModelKey>& key) {
    return key ? key->label() : "";
}

std::string stage_text(const StageRequest& request) {
    std::string text(stage_name(request.stage));
    if (request.stage == Stage::canary) {
        const auto share = request.permyriad;
        text += " " + std::to_string(share / 100);
        if (share % 100 != 0) {
            text += (share % 100 < 10 ? ".0" : ".") + std::to_string(share % 100);
        }
        text += " %";
    }
    return text;
}

std::uint64_t random_salt() {
    std::uint64_t salt = 0;
    randombytes_buf(&salt, sizeof(salt));
    return salt;
}

}  // namespace

std::string ModelRegistry::bar_of(const ModelKey& key) const {
    const auto at = memory_.state.barred.find(bar_key(key));
    return at == memory_.state.barred.end() ? std::string() : at->second;
}

Outcome<void> ModelRegistry::check_bar(const ModelKey& key, bool override_bar) {
    const std::string why = bar_of(key);
    if (why.empty()) {
        return {};
    }
    if (!override_bar) {
        return refuse(
            FailureKind::precondition,
            {"model " + key.label(),
             "version",
             "is barred since a guardrail rolled it back: " + why,
             "push a better version; an admin may use --override"});
    }
    memory_.state.barred.erase(
        bar_key(key));  // kept if the change fails: memory is taken back then
    return {};
}

std::vector<ModelRegistry::LiveTrial> ModelRegistry::trials_without(
    std::size_t slot, const std::optional<ModelKey>& key) const {
    std::vector<LiveTrial> rest;
    std::copy_if(
        live_[slot].trials.begin(),
        live_[slot].trials.end(),
        std::back_inserter(rest),
        [&](const LiveTrial& t) {
            // Beside no model there is no canary: it would have nothing to be measured against.
            return t.state.key != key && (key || t.state.permyriad == 0);
        });
    return rest;
}

const ModelRegistry::LiveTrial* ModelRegistry::canary_of(std::size_t slot) const {
    const auto& trials = live_[slot].trials;
    const auto at = std::find_if(
        trials.begin(), trials.end(), [](const LiveTrial& t) { return t.state.permyriad != 0; });
    return at == trials.end() ? nullptr : &*at;
}

/// Counters of its own for each trial that has none yet.
Outcome<void> ModelRegistry::reserve_trials(Change& change) {
    if (!change.trials) {
        return {};
    }
    const auto slot = static_cast<std::uint32_t>(change.slot);
    std::vector<std::uint8_t> opened;
    std::array<bool, dataplane::kPairBlocks> taken{};
    for (const auto* trials : {&live_[slot].trials, &*change.trials}) {
        for (const auto& trial : *trials) {
            taken.at(trial.pair_block) = taken.at(trial.pair_block) || trial.base != nullptr;
        }
    }
    for (auto& trial : *change.trials) {
        if (trial.base) {
            continue;
        }
        auto block = parts_.ledger.open(slot, trial.model->name, trial.model->version);
        const auto free = std::find(taken.begin(), taken.end(), false);
        if (!block || free == taken.end()) {
            if (block) {
                opened.push_back(*block);
            }
            for (const auto one : opened) {
                parts_.ledger.close(slot, one);
            }
            return refuse(
                FailureKind::exhausted,
                {"slot " + config_.slots[slot].name,
                 "",
                 "all counters of models on trial are in use",
                 "end a trial first"});
        }
        opened.push_back(*block);
        *free = true;
        trial.block = *block;
        trial.pair_block = static_cast<std::uint8_t>(free - taken.begin());
        auto base = std::make_shared<TrialBase>();
        base->outcomes = read_outcomes(parts_.workers, slot, trial.block);
        base->pairs = read_pairs(parts_.workers, slot, trial.pair_block);
        trial.base = std::move(base);
    }
    return {};
}

Outcome<ModelRegistry::LiveTrial> ModelRegistry::trial_for(
    std::size_t slot, const ModelKey& key, const StageRequest& request) const {
    const auto& trials = live_[slot].trials;
    const auto known = std::find_if(
        trials.begin(), trials.end(), [&](const LiveTrial& t) { return t.state.key == key; });
    const std::uint32_t share = request.stage == Stage::canary ? request.permyriad : 0;
    if (known != trials.end() && (known->state.permyriad != 0) == (share != 0)) {
        // The share of a canary changes; which flows, how they are counted and by which model do not.
        LiveTrial same = *known;
        same.state.permyriad = share;
        return same;
    }
    auto loaded = load(slot, key);
    if (!loaded) {
        return tl::unexpected(std::move(loaded.error()));
    }
    return LiveTrial{
        std::move(loaded->model), {key, share, share == 0 ? 0 : random_salt()}, 0, 0, nullptr};
}

Outcome<ModelRegistry::Change> ModelRegistry::plan_trial(
    std::size_t slot, const ModelKey& key, const StageRequest& request) {
    const std::string where = "model " + key.label();
    const auto* canary = canary_of(slot);
    if (request.stage == Stage::canary) {
        if (request.permyriad == 0 || request.permyriad > kWholeShare) {
            return refuse(
                FailureKind::invalid,
                {where, "share", "is not within 0.01 to 100 %", "name for instance 5 percent"});
        }
        if (!live_[slot].model) {
            return refuse(
                FailureKind::precondition,
                {where,
                 "stage",
                 "a canary needs an active model to be measured against, the slot has none",
                 "activate it, or try it as a shadow"});
        }
        if (canary && canary->state.key != key) {
            return refuse(
                FailureKind::precondition,
                {where,
                 "stage",
                 "the slot's canary is " + canary->state.key.label(),
                 "promote it or roll it back first"});
        }
        if (auto barred = check_bar(key, request.override_bar); !barred) {
            return tl::unexpected(std::move(barred.error()));
        }
    }
    Change change{slot, live_[slot].model, live_[slot].key, live_[slot].block, true, {}, 0};
    change.trials = trials_without(slot, key);
    if (canary && canary->state.key == key && request.stage != Stage::canary) {
        change.withdraw = canary->model->ref;
    }
    if (request.stage == Stage::verified) {
        if (change.trials->size() == live_[slot].trials.size()) {
            return refuse(
                FailureKind::precondition,
                {where, "stage", "is neither active nor on trial", "there is nothing to end"});
        }
        return change;
    }
    if (change.trials->size() >= dataplane::kMaxTrials) {
        return refuse(
            FailureKind::exhausted,
            {"slot " + key.slot,
             "",
             std::to_string(dataplane::kMaxTrials) + " models are on trial already",
             "end one first: `weirctl models withdraw`"});
    }
    auto trial = trial_for(slot, key, request);
    if (!trial) {
        return tl::unexpected(std::move(trial.error()));
    }
    change.trials->push_back(std::move(*trial));
    return change;
}

Outcome<Activation> ModelRegistry::stage(const StageRequest& request, const Actor& actor) {
    if (request.stage == Stage::active) {
        return activate(request.key, actor, request.override_bar);
    }
    const Memory before = memory_;
    std::string from;
    auto done = [&]() -> Outcome<Activation> {
        auto key = resolve(request.key);
        if (!key) {
            return tl::unexpected(std::move(key.error()));
        }
        const auto slot = *slot_index(key->slot);
        from = key->label() + " " + std::string(stage_name(info_of(*key)->stage));
        const bool is_active = live_[slot].key == *key;
        auto change =
            is_active ? plan_step_back(slot, *key, request) : plan_trial(slot, *key, request);
        if (!change) {
            return tl::unexpected(std::move(change.error()));
        }
        auto switched = switch_to(std::move(*change), is_active ? History::pop : History::keep);
        if (switched) {
            switched->to = info_of(*key);
        }
        return switched;
    }();
    if (!done) {
        memory_ = before;
    }
    audit(
        actor,
        "stage",
        request.key.slot,
        from,
        (done ? done->to->key.label() : request.key.label()) + " " + stage_text(request),
        done ? nullptr : &done.error().error,
        request.override_bar ? "bar overridden" : "");
    return done;
}

Outcome<Activation> ModelRegistry::breach(const ModelKey& key, const std::string& why) {
    const auto slot = slot_index(key.slot);
    const Actor guard{.via = "guardrail"};
    if (!slot) {
        return tl::unexpected(no_slot(key.slot));
    }
    const bool is_active = live_[*slot].key == key;
    const bool on_trial = trials_without(*slot, key).size() != live_[*slot].trials.size();
    if (!is_active && !on_trial) {
        return refuse(FailureKind::not_found, {"model " + key.label(), "", "is not in use", ""});
    }
    memory_.state.barred[bar_key(key)] = why;
    auto done = [&]() -> Outcome<Activation> {
        if (is_active) {
            return go_back(*slot);
        }
        auto change = plan_trial(*slot, key, {key, Stage::verified, 0, false});
        return change ? switch_to(std::move(*change), History::pop)
                      : Outcome<Activation>(tl::unexpected(std::move(change.error())));
    }();
    if (!done) {  // nowhere to go: it stays, and is judged no more until it is activated anew
        live_[*slot].judged = false;
        memory_.state.barred.erase(bar_key(key));
        (void)publish({});
    }
    restage(key.slot);
    audit(
        guard,
        "guardrail",
        key.slot,
        key.label(),
        done && is_active ? label(live_[*slot].key) : "",
        done ? nullptr : &done.error().error,
        why);
    spdlog::warn("guardrail: slot {}: {}: {}", key.slot, key.label(), why);
    return done;
}

void ModelRegistry::recover_trials(std::size_t slot, Change& change, Warnings& warnings) {
    const auto& name = config_.slots[slot].name;
    change.trials.emplace();
    const auto trials = memory_.state.slots[name].trials;
    for (const auto& trial : trials) {
        const bool canary = trial.permyriad != 0;
        if (trial.key == change.key || (canary && !change.model) ||
            change.trials->size() >= dataplane::kMaxTrials) {
            continue;
        }
        auto loaded = load(slot, trial.key);
        if (!loaded) {
            warnings.push_back(
                "slot " + name + ": the trial of " + trial.key.label() +
                " ends: " + loaded.error().error.line());
            continue;
        }
        change.trials->push_back({std::move(loaded->model), trial, 0, 0, nullptr});
    }
}

}  // namespace weir::control
