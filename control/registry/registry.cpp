// SPDX-License-Identifier: BSD-3-Clause
#include "control/registry/registry.h"

#include "dataplane/snapshot_build.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <spdlog/spdlog.h>

namespace weir::control {

namespace {

std::int64_t now_unix() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

std::string version_key(const ModelKey& key) {
    return key.slot + "/" + key.name;
}

}  // namespace

ModelRegistry::ModelRegistry(config::Config config, Parts parts)
    : config_(config),
      configured_(std::move(config)),
      parts_(std::move(parts)),
      live_(config_.slots.size()),
      swaps_(config_.slots.size()) {}

Outcome<ModelRegistry::Change> ModelRegistry::load(std::size_t slot, const ModelKey& key) const {
    const Stored* stored = find(key);
    if (!stored) {
        return refuse(
            FailureKind::not_found, {"model " + key.label(), "", "is not stored", "push it again"});
    }
    const std::string where = "model " + key.label();
    auto candidate = [&]() -> Outcome<Candidate> {
        if (stored->embedded) {
            return parts_.checker->check_default(*stored->embedded, where);
        }
        auto bytes = parts_.store.load_bundle(key, parts_.checker->max_bytes());
        if (!bytes) {
            return refuse(FailureKind::internal, std::move(bytes.error()));
        }
        return parts_.checker->check(std::move(*bytes), where, key.slot, true);
    }();
    if (!candidate) {
        return tl::unexpected(std::move(candidate.error()));
    }
    if (candidate->verified.digest != stored->info.digest) {
        return refuse(
            FailureKind::internal,
            {parts_.store.bundle_path(key),
             "digest",
             "the stored bundle is not the one that was pushed",
             "push it again"});
    }
    auto model = dataplane::make_slot_model(std::move(candidate->verified));
    if (!model) {
        return refuse(FailureKind::precondition, std::move(model.error()));
    }
    return Change{slot, std::move(*model), key, 0};
}

Outcome<void> ModelRegistry::admit(const ModelInfo& info, bool allow_older) const {
    const auto& key = info.key;
    const std::string where = "model " + key.label();
    if (!slot_index(key.slot)) {
        return tl::unexpected(no_slot(key.slot));
    }
    if (find(key)) {
        return refuse(
            FailureKind::precondition,
            {where,
             "version",
             "is stored already, with other content",
             "give the new model a higher version"});
    }
    const auto highest = memory_.state.highest.find(version_key(key));
    if (!allow_older && highest != memory_.state.highest.end() && key.version <= highest->second) {
        return refuse(
            FailureKind::precondition,
            {where,
             "version",
             "is not above " + std::to_string(highest->second) + ", the highest seen",
             "give the model a higher version, or push with --allow-older"});
    }
    const auto in_slot =
        std::count_if(memory_.stored.begin(), memory_.stored.end(), [&](const Stored& s) {
            return s.info.key.slot == key.slot;
        });
    if (static_cast<std::size_t>(in_slot) >= kMaxStored) {
        return refuse(
            FailureKind::exhausted,
            {"slot " + key.slot,
             "",
             "holds " + std::to_string(in_slot) + " models already",
             "remove some: `weirctl models remove`"});
    }
    return {};
}

Outcome<bool> ModelRegistry::keep(const Candidate& candidate, const PushOptions& options) {
    ModelInfo info = describe(candidate, options.source);
    if (const Stored* same = find(info.key); same && same->info.digest == info.digest) {
        return false;
    }
    if (auto admitted = admit(info, options.allow_older); !admitted) {
        return tl::unexpected(std::move(admitted.error()));
    }
    if (auto saved = parts_.store.save_bundle(info.key, candidate.bytes); !saved) {
        return refuse(FailureKind::internal, std::move(saved.error()));
    }
    info.added_unix = now_unix();
    auto& highest = memory_.state.highest[version_key(info.key)];
    highest = std::max(highest, info.key.version);
    memory_.stored.push_back(Stored{std::move(info), nullptr});
    return true;
}

Outcome<void> ModelRegistry::reserve(std::vector<Change>& changes) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
        auto& change = changes[i];
        auto failed = [&](Failure failure) -> Outcome<void> {
            changes.resize(i);
            release(changes);
            return tl::unexpected(std::move(failure));
        };
        if (change.model && !change.trials_only) {
            auto block = parts_.ledger.open(
                static_cast<std::uint32_t>(change.slot), change.model->name, change.model->version);
            if (!block) {
                return failed({FailureKind::exhausted, std::move(block.error())});
            }
            change.block = *block;
        }
        if (auto reserved = reserve_trials(change); !reserved) {
            if (change.model && !change.trials_only) {
                parts_.ledger.close(static_cast<std::uint32_t>(change.slot), change.block);
            }
            return failed(std::move(reserved.error()));
        }
    }
    return {};
}

void ModelRegistry::release(const std::vector<Change>& changes) {
    for (const auto& change : changes) {
        const auto slot = static_cast<std::uint32_t>(change.slot);
        if (change.model && !change.trials_only) {
            parts_.ledger.close(slot, change.block);
        }
        if (!change.trials) {
            continue;
        }
        const auto& kept = live_[change.slot].trials;
        for (const auto& trial : *change.trials) {
            const bool is_live = std::any_of(kept.begin(), kept.end(), [&](const LiveTrial& t) {
                return t.model == trial.model;
            });
            if (!is_live && trial.base) {
                parts_.ledger.close(slot, trial.block);
            }
        }
    }
}

void ModelRegistry::note(const Change& change, History history) {
    const auto& name = config_.slots[change.slot].name;
    auto& state = memory_.state.slots[name];
    if (change.trials) {
        state.trials.clear();
        for (const auto& trial : *change.trials) {
            state.trials.push_back(trial.state);
        }
    }
    if (!change.trials_only) {
        if (history == History::push && state.active != change.key) {
            state.history.push_back(state.active);
            if (state.history.size() > kMaxHistory) {
                state.history.erase(state.history.begin());
            }
        }
        state.active = change.key;
        for (auto& stored : memory_.stored) {
            if (change.key && stored.info.key == *change.key) {
                stored.info.activated_unix = now_unix();
            }
        }
    }
    restage(name);
}

Outcome<void> ModelRegistry::save() const {
    RegistryState state = memory_.state;
    const auto now = Clock::now();
    state.written = parts_.boot_time();
    state.contact_age_s = std::chrono::duration<double>(now - contact_).count();
    for (std::size_t s = 0; s < live_.size(); ++s) {
        auto& slot = state.slots[config_.slots[s].name];
        // What is about to be active is new.
        slot.age_s = slot.active == live_[s].key || !started_ ? age(s, now) : 0.0;
    }
    for (const auto& stored : memory_.stored) {
        if (!stored.embedded) {
            state.models.push_back(stored.info);
        }
    }
    if (auto saved = parts_.store.save_state(state); !saved) {
        return refuse(FailureKind::internal, std::move(saved.error()));
    }
    return {};
}

/// Puts `change` into live_; what it takes out goes into `gone`, whose blocks are to be released after the swap.
void ModelRegistry::adopt_change(const Change& change, std::vector<Change>& gone) {
    const auto now = Clock::now();
    auto& live = live_[change.slot];
    Change left{change.slot, nullptr, {}, 0, true, {}, 0};
    if (change.withdraw != 0) {
        const auto& table = config_.workers.flow_table;
        const auto longest = std::max(
            {table.tcp_established_s,
             table.tcp_opening_s,
             table.tcp_closed_s,
             table.udp_s,
             table.other_s});
        live.withdrawn.push_back({change.withdraw, now + std::chrono::seconds(longest + 1)});
    }
    if (!change.trials_only) {
        left.model = std::move(live.model);
        left.key = live.key;
        left.block = live.block;
        left.trials_only = false;
        live.model = change.model;
        live.key = change.key;
        live.block = change.block;
        live.since = started_ ? now : live.since;  // at start: recover_ages()
        live.stale = false;
        live.judged = started_ && live.model && config_.slots[change.slot].guardrails.any();
        swaps_[change.slot] += started_ ? 1 : 0;
    }
    if (change.trials) {
        left.trials = std::exchange(live.trials, *change.trials);
    }
    gone.push_back(std::move(left));
}

std::vector<dataplane::SlotTrials> ModelRegistry::trials_for_workers() const {
    std::vector<dataplane::SlotTrials> out;
    for (std::size_t s = 0; s < live_.size(); ++s) {
        const auto& live = live_[s];
        auto& slot = out.emplace_back();
        for (const auto& trial : live.trials) {
            if (trial.state.permyriad != 0) {
                slot.canary = static_cast<std::int32_t>(slot.trials.size());
                slot.share = {
                    trial.state.salt, (std::uint64_t{trial.state.permyriad} << 32) / kWholeShare};
            }
            slot.trials.push_back({trial.model, trial.block, trial.pair_block});
        }
        for (const auto& withdrawn : live.withdrawn) {
            slot.withdrawn.push_back(withdrawn.ref);
        }
        slot.judged = live.judged;
        const auto policy = config_.slots[s].stale;
        if (live.stale && policy != config::StaleAction::last) {
            slot.stale = policy == config::StaleAction::drop ? config::FailAction::drop
                                                             : config::FailAction::pass;
        }
    }
    return out;
}

ModelRegistry::Warnings ModelRegistry::publish(const std::vector<Change>& changes) {
    reach("publish");
    std::vector<Change> gone;
    for (const auto& change : changes) {
        adopt_change(change, gone);
    }
    std::vector<Model> models;
    std::vector<std::uint8_t> blocks;
    for (const auto& live : live_) {
        models.push_back(live.model);
        blocks.push_back(live.block);
    }
    Warnings warnings;
    generation_ = std::max(generation_, parts_.publisher.current().generation) + 1;
    auto snapshot = dataplane::build_snapshot(
        config_, models, generation_, &warnings, blocks, trials_for_workers());
    snapshot->overrides = compiled_overrides_;
    parts_.publisher.publish(std::move(snapshot));
    // Beside whoever asked for the change, the log hears what is new; of the start main() tells.
    for (const std::string& line : warnings) {
        if (started_ && std::find(told_.begin(), told_.end(), line) == told_.end()) {
            spdlog::warn("{}", line);
        }
    }
    told_ = warnings;
    // Every worker has left the old snapshot: the blocks of the models that went are final.
    release(gone);
    reach("published");
    return warnings;
}

}  // namespace weir::control
