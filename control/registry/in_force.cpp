// SPDX-License-Identifier: BSD-3-Clause
// What is in force besides models: rules set while running, probations, times to live.
#include "control/registry/registry.h"

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

namespace weir::control {

namespace {

double seconds(ModelRegistry::Clock::duration time) {
    return std::chrono::duration<double>(time).count();
}

}  // namespace

/// Lays the rules of the state file over the configuration's.
void ModelRegistry::apply_rules() {
    for (auto& slot : config_.slots) {
        for (const auto& [cls, rule] : memory_.state.slots[slot.name].rules) {
            if (rule) {
                slot.rules[cls] = *rule;
            } else {
                slot.rules.erase(cls);
            }
        }
    }
}

std::optional<config::ClassRule> ModelRegistry::configured_rule(
    const std::string& slot, const std::string& cls) const {
    const auto index = slot_index(slot);
    if (!index) {
        return std::nullopt;
    }
    const auto& rules = configured_.slots[*index].rules;
    const auto at = rules.find(cls);
    return at == rules.end() ? std::nullopt : std::optional(at->second);
}

Outcome<ModelRegistry::Warnings> ModelRegistry::set_rule(
    const std::string& slot,
    const std::string& cls,
    const std::optional<config::ClassRule>& rule,
    bool forget,
    const Actor& actor) {
    auto done = [&]() -> Outcome<Warnings> {
        const auto index = slot_index(slot);
        if (!index) {
            return tl::unexpected(no_slot(slot));
        }
        if (!safe_name(cls)) {
            return refuse(
                FailureKind::invalid,
                {"slot " + slot, "class", "is not a class name", "use 1 to 64 of a-z 0-9 . _ -"});
        }
        auto& overrides = memory_.state.slots[slot].rules;
        constexpr std::size_t kMaxRules = 64;
        if (!forget && overrides.size() >= kMaxRules && overrides.count(cls) == 0) {
            return refuse(
                FailureKind::exhausted,
                {"slot " + slot, "", "has 64 rules set already", "write them to weir.yaml"});
        }
        const Memory before = memory_;
        const auto rules_before = config_.slots[*index].rules;
        if (forget) {
            overrides.erase(cls);
        } else {
            overrides[cls] = rule;
        }
        config_.slots[*index].rules = configured_.slots[*index].rules;
        apply_rules();
        if (auto saved = save(); !saved) {
            memory_ = before;
            config_.slots[*index].rules = rules_before;
            return tl::unexpected(std::move(saved.error()));
        }
        return publish({});
    }();
    audit(
        actor,
        "policy",
        slot,
        "",
        cls,
        done ? nullptr : &done.error().error,
        forget ? "as configured"
        : rule ? ""
               : "removed");
    return done;
}

Outcome<std::vector<RuleInForce>> ModelRegistry::rules(const std::string& slot) const {
    if (!slot.empty() && !slot_index(slot)) {
        return tl::unexpected(no_slot(slot));
    }
    std::vector<RuleInForce> out;
    for (const auto& one : config_.slots) {
        if (!slot.empty() && one.name != slot) {
            continue;
        }
        const auto state = memory_.state.slots.find(one.name);
        for (const auto& [cls, rule] : one.rules) {
            const bool overridden =
                state != memory_.state.slots.end() && state->second.rules.count(cls) != 0;
            out.push_back({one.name, cls, rule, overridden});
        }
    }
    return out;
}

double ModelRegistry::age(std::size_t slot, Clock::time_point now) const {
    return seconds(now - live_[slot].since);
}

bool ModelRegistry::is_stale(std::size_t slot, Clock::time_point now) const {
    const auto ttl = config_.slots[slot].model_ttl_s;
    const auto contact = config_.control.contact_ttl_s;
    return live_[slot].model != nullptr && ((ttl != 0 && age(slot, now) >= ttl) ||
                                            (contact != 0 && seconds(now - contact_) >= contact));
}

void ModelRegistry::keep_ages(Clock::time_point now) {
    constexpr auto kPeriod = std::chrono::minutes(1);
    const bool matters =
        config_.control.contact_ttl_s != 0 ||
        std::any_of(config_.slots.begin(), config_.slots.end(), [](const auto& slot) {
            return slot.model_ttl_s != 0;
        });
    if (!matters || now - ages_kept_ < kPeriod) {
        return;
    }
    ages_kept_ = now;
    if (const auto saved = save(); !saved) {
        spdlog::warn("ages of models cannot be kept: {}", saved.error().error.line());
    }
}

bool ModelRegistry::tick(Clock::time_point now) {
    keep_ages(now);
    bool changed = expire_overrides(now);
    for (std::size_t s = 0; s < live_.size(); ++s) {
        auto& live = live_[s];
        const auto& slot = config_.slots[s];
        const auto withdrawn =
            std::erase_if(live.withdrawn, [&](const Withdrawn& w) { return now >= w.until; });
        const bool judged =
            live.judged && slot.guardrails.any() && age(s, now) < slot.guardrails.probation_s;
        const bool stale = is_stale(s, now);
        if (stale != live.stale) {
            audit(
                Actor{.via = "internal"},
                stale ? "stale" : "fresh",
                slot.name,
                live.key ? live.key->label() : "",
                live.key ? live.key->label() : "",
                nullptr,
                stale ? "past its time to live" : "within its time to live");
        }
        changed = changed || withdrawn != 0 || judged != live.judged || stale != live.stale;
        live.judged = judged;
        live.stale = stale;
    }
    if (changed) {
        (void)publish({});
    }
    return changed;
}

std::vector<SlotUse> ModelRegistry::use() const {
    std::vector<SlotUse> out;
    const auto now = Clock::now();
    for (std::size_t s = 0; s < live_.size(); ++s) {
        const auto& live = live_[s];
        SlotUse slot;
        slot.active = info_of(live.key);
        slot.block = live.block;
        slot.judged = live.judged;
        slot.stale = live.stale;
        slot.age_s = age(s, now);
        for (const auto& trial : live.trials) {
            if (auto info = info_of(trial.state.key)) {
                slot.trials.push_back(
                    {std::move(*info), trial.block, trial.pair_block, trial.base});
            }
        }
        out.push_back(std::move(slot));
    }
    return out;
}

}  // namespace weir::control
