// SPDX-License-Identifier: BSD-3-Clause
// What the registry knows: look-ups that change nothing but what is told of a model.
#include "config/findings.h"
#include "control/registry/registry.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace weir::control {

std::optional<std::size_t> ModelRegistry::slot_index(const std::string& name) const {
    for (std::size_t i = 0; i < config_.slots.size(); ++i) {
        if (config_.slots[i].name == name) {
            return i;
        }
    }
    return std::nullopt;
}

Failure ModelRegistry::no_slot(const std::string& name) const {
    std::string known;
    for (const auto& slot : config_.slots) {
        known += (known.empty() ? "" : ", ") + slot.name;
    }
    return {
        FailureKind::not_found,
        {"slot " + config::quote(name), "slot", "is not configured", "use one of " + known}};
}

const ModelRegistry::Stored* ModelRegistry::find(const ModelKey& key) const {
    const auto at =
        std::find_if(memory_.stored.begin(), memory_.stored.end(), [&](const Stored& s) {
            return s.info.key == key;
        });
    return at == memory_.stored.end() ? nullptr : &*at;
}

Outcome<ModelKey> ModelRegistry::resolve(const ModelKey& key) const {
    if (!slot_index(key.slot)) {
        return tl::unexpected(no_slot(key.slot));
    }
    std::optional<ModelKey> found;
    std::string versions;
    for (const auto& stored : memory_.stored) {
        const auto& have = stored.info.key;
        if (have.slot != key.slot || have.name != key.name) {
            continue;
        }
        versions += (versions.empty() ? "" : ", ") + std::to_string(have.version);
        const bool newer = !found || have.version > found->version;
        if (key.version == 0 ? newer : have.version == key.version) {
            found = have;
        }
    }
    if (found) {
        return *found;
    }
    if (versions.empty()) {
        return refuse(
            FailureKind::not_found,
            {"slot " + key.slot,
             "name",
             "holds no model named " + config::quote(key.name),
             "see `weirctl models list`, or push it first"});
    }
    return refuse(
        FailureKind::not_found,
        {"model " + key.name,
         "version",
         std::to_string(key.version) + " is not stored",
         "use one of " + versions});
}

std::optional<ModelInfo> ModelRegistry::info_of(const std::optional<ModelKey>& key) const {
    const Stored* stored = key ? find(*key) : nullptr;
    return stored ? std::optional(stored->info) : std::nullopt;
}

/// What is told of a model beside its own facts follows from the state: one place for all slots' stages.
void ModelRegistry::restage(const std::string& slot) {
    const auto& state = memory_.state.slots[slot];
    for (auto& stored : memory_.stored) {
        auto& info = stored.info;
        if (info.key.slot != slot) {
            continue;
        }
        const auto trial =
            std::find_if(state.trials.begin(), state.trials.end(), [&](const TrialState& t) {
                return t.key == info.key;
            });
        info.canary_permyriad = trial == state.trials.end() ? 0 : trial->permyriad;
        info.barred = bar_of(info.key);
        const bool was_active =
            info.activated_unix != 0 ||
            std::find(state.history.begin(), state.history.end(), std::optional(info.key)) !=
                state.history.end();
        if (state.active == info.key) {
            info.stage = Stage::active;
        } else if (trial != state.trials.end()) {
            info.stage = trial->permyriad != 0 ? Stage::canary : Stage::shadow;
        } else {
            info.stage = was_active ? Stage::retired : Stage::verified;
        }
    }
}

Outcome<std::vector<ModelInfo>> ModelRegistry::list(const std::string& slot) const {
    if (!slot.empty() && !slot_index(slot)) {
        return tl::unexpected(no_slot(slot));
    }
    std::vector<ModelInfo> out;
    for (const auto& stored : memory_.stored) {
        const auto& key = stored.info.key;
        if (slot.empty() ? slot_index(key.slot).has_value() : key.slot == slot) {
            out.push_back(stored.info);
        }
    }
    std::sort(out.begin(), out.end(), [this](const ModelInfo& a, const ModelInfo& b) {
        const auto rank = [this](const ModelKey& k) { return slot_index(k.slot).value_or(0); };
        return std::make_tuple(rank(a.key), a.key.name, ~a.key.version) <
               std::make_tuple(rank(b.key), b.key.name, ~b.key.version);
    });
    return out;
}

std::vector<std::optional<ModelInfo>> ModelRegistry::active() const {
    std::vector<std::optional<ModelInfo>> out;
    for (const auto& live : live_) {
        out.push_back(info_of(live.key));
    }
    return out;
}

}  // namespace weir::control
