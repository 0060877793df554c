// SPDX-License-Identifier: BSD-3-Clause
// The changes an operator can ask for.
#include "control/registry/registry.h"
#include "dataplane/snapshot_build.h"

#include <utility>

#include <spdlog/spdlog.h>

namespace weir::control {

namespace {

std::string label(const std::optional<ModelKey>& key) {
    return key ? key->label() : "";
}

}  // namespace

void ModelRegistry::audit(
    const Actor& actor,
    const std::string& action,
    const std::string& slot,
    const std::string& from,
    const std::string& to,
    const Error* error,
    const std::string& remark) {
    parts_.audit.append(
        {actor, action, slot, from, to, error ? "refused" : "ok", error ? error->line() : remark});
    reach("audited");
}

Outcome<PushOutcome> ModelRegistry::push(
    Candidate candidate, const PushOptions& options, const Actor& actor) {
    const ModelKey key = describe(candidate, options.source).key;
    const Memory before = memory_;
    const auto give_up = [&](Failure failure) -> Outcome<PushOutcome> {
        restore(before);
        audit(actor, "push", key.slot, "", key.label(), &failure.error);
        return tl::unexpected(std::move(failure));
    };
    auto added = keep(candidate, options);
    if (!added) {
        return give_up(std::move(added.error()));
    }
    PushOutcome outcome;
    outcome.already_stored = !*added;
    std::vector<Change> changes;
    const auto slot = slot_index(key.slot);
    const std::string from = slot ? label(live_[*slot].key) : "";
    if (options.activate && slot && live_[*slot].key != key) {
        auto model = dataplane::make_slot_model(std::move(candidate.verified));
        if (!model) {
            return give_up({FailureKind::precondition, std::move(model.error())});
        }
        if (auto barred = check_bar(key, false); !barred) {
            return give_up(std::move(barred.error()));
        }
        changes.push_back(Change{*slot, std::move(*model), key, 0});
        changes.back().trials = trials_without(*slot, key);
        if (auto reserved = reserve(changes); !reserved) {
            return give_up(std::move(reserved.error()));
        }
        note(changes.front(), History::push);
    }
    if (auto saved = save(); !saved) {
        release(changes);
        return give_up(std::move(saved.error()));
    }
    audit(
        actor,
        "push",
        key.slot,
        "",
        key.label(),
        nullptr,
        outcome.already_stored ? "already stored"
        : options.allow_older  ? "older allowed"
                               : "");
    if (!changes.empty()) {
        outcome.warnings = publish(changes);
        audit(actor, "activate", key.slot, from, key.label());
    }
    outcome.model = *info_of(key);
    return outcome;
}

void ModelRegistry::push_refused(
    const std::string& slot, const Failure& failure, const Actor& actor) {
    audit(actor, "push", slot, "", "", &failure.error);
}

Outcome<Activation> ModelRegistry::switch_to(Change change, History history) {
    std::vector<Change> changes{std::move(change)};
    if (auto reserved = reserve(changes); !reserved) {
        return tl::unexpected(std::move(reserved.error()));
    }
    const auto from = live_[changes.front().slot].key;
    const Memory before = memory_;
    note(changes.front(), history);
    Activation done;
    if (auto saved = save(); !saved) {
        if (history != History::pop) {
            release(changes);
            memory_ = before;
            return tl::unexpected(std::move(saved.error()));
        }
        done.warnings.push_back("not remembered over a restart: " + saved.error().error.line());
    }
    const auto more = publish(changes);
    done.warnings.insert(done.warnings.end(), more.begin(), more.end());
    done.from = info_of(from);
    done.to = info_of(changes.front().key);
    done.generation = generation_;
    return done;
}

Outcome<Activation> ModelRegistry::activate(
    const ModelKey& wanted, const Actor& actor, bool override_bar) {
    const auto slot = slot_index(wanted.slot);
    const std::string from = slot ? label(live_[*slot].key) : "";
    auto done = [&]() -> Outcome<Activation> {
        auto key = resolve(wanted);
        if (!key) {
            return tl::unexpected(std::move(key.error()));
        }
        if (live_[*slot].key == *key) {
            return Activation{info_of(*key), info_of(*key), generation_, {"it was active already"}};
        }
        if (auto barred = check_bar(*key, override_bar); !barred) {
            return tl::unexpected(std::move(barred.error()));
        }
        auto change = load(*slot, *key);
        if (!change) {
            return tl::unexpected(std::move(change.error()));
        }
        change->trials = trials_without(*slot, *key);
        return switch_to(std::move(*change), History::push);
    }();
    audit(
        actor,
        "activate",
        wanted.slot,
        from,
        done ? done->to->key.label() : wanted.label(),
        done ? nullptr : &done.error().error,
        override_bar ? "bar overridden" : "");
    return done;
}

Outcome<Activation> ModelRegistry::rollback(const std::string& name, const Actor& actor) {
    const auto slot = slot_index(name);
    const auto* canary = slot ? canary_of(*slot) : nullptr;
    const std::string from = canary ? canary->state.key.label()
                             : slot ? label(live_[*slot].key)
                                    : "";
    const std::string remark = canary ? "canary ended" : "";
    auto done = [&]() -> Outcome<Activation> {
        if (!slot) {
            return tl::unexpected(no_slot(name));
        }
        return canary_of(*slot) ? end_canary(*slot) : go_back(*slot);
    }();
    const std::string to = done && done->to ? done->to->key.label() : "";
    audit(actor, "rollback", name, from, to, done ? nullptr : &done.error().error, remark);
    return done;
}

Outcome<void> ModelRegistry::remove(const ModelKey& key, const Actor& actor) {
    auto done = [&]() -> Outcome<void> {
        if (auto known = resolve(key); !known) {
            return tl::unexpected(std::move(known.error()));
        }
        const Stored* stored = find(key);
        const auto refused = [&](const std::string& what, const std::string& fix) {
            return refuse(FailureKind::precondition, {"model " + key.label(), "", what, fix});
        };
        if (!stored) {
            return refused("no version is named", "name the version to remove");
        }
        if (stored->embedded) {
            return refused("is built into the program", "");
        }
        if (live_[*slot_index(key.slot)].key == key) {
            return refused("is active", "activate another one first");
        }
        if (stored->info.stage == Stage::shadow || stored->info.stage == Stage::canary) {
            return refused("is on trial", "end that first: `weirctl models withdraw`");
        }
        const Memory before = memory_;
        std::erase_if(memory_.stored, [&](const Stored& s) { return s.info.key == key; });
        std::erase(memory_.state.slots[key.slot].history, std::optional(key));
        if (auto saved = save(); !saved) {
            memory_ = before;
            return tl::unexpected(std::move(saved.error()));
        }
        if (auto gone = parts_.store.remove_bundle(key); !gone) {
            // Forgotten all the same: what the state file does not know goes at the next start.
            spdlog::warn("{}", gone.error().line());
        }
        return {};
    }();
    audit(actor, "remove", key.slot, key.label(), "", done ? nullptr : &done.error().error);
    return done;
}

}  // namespace weir::control
