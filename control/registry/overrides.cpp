// SPDX-License-Identifier: BSD-3-Clause
#include "control/registry/overrides.h"

#include "config/findings.h"
#include "config/load.h"
#include "control/registry/flow_name.h"
#include "control/registry/registry.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <spdlog/spdlog.h>

namespace weir::control {

namespace {

std::int64_t wall_unix() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

std::string actor_text(const Actor& actor) {
    if (!actor.sans.empty()) {
        return actor.sans.front();
    }
    return actor.uid ? "uid " + std::to_string(*actor.uid) : actor.via;
}

std::string until_text(const Override& override) {
    return "until " + std::to_string(override.until_unix()) + " (for " +
           std::to_string(override.seconds) + " s)";
}

}  // namespace

std::string_view kind_name(dataplane::OverrideKind kind) noexcept {
    return kind == dataplane::OverrideKind::block ? "block" : "allow";
}

Result<Override> parse_target(std::string_view text) {
    Override out;
    if (const auto prefix = config::parse_prefix(text)) {
        out.rule.prefix = *prefix;
        out.target = config::prefix_text(*prefix);
        return out;
    }
    const auto name = parse_flow_name(text);
    if (!name || name->id) {
        return fail(
            {},
            "target",
            config::quote(text) + " is neither a prefix nor a flow, or has bits beyond its length",
            "such as 10.0.0.0/8, 2001:db8::/32, 192.0.2.1, or a flow as weirctl flows prints it: "
            "'tcp 10.0.0.1:40000 > 192.0.2.1:443'");
    }
    out.rule.exact = true;
    out.rule.flow = dataplane::OverrideFlow::key_of(
        name->key, name->vlan.value_or(dataplane::OverrideFlow::kAnyVlan));
    out.target = name->text;
    return out;
}

bool same_target(const dataplane::OverrideRule& a, const dataplane::OverrideRule& b) noexcept {
    if (a.exact != b.exact) {
        return false;
    }
    return a.exact ? a.flow == b.flow
                   : a.prefix.length == b.prefix.length && a.prefix.address == b.prefix.address;
}

std::shared_ptr<const dataplane::OverrideSet> compile(const std::vector<Override>& overrides) {
    if (overrides.empty()) {
        return nullptr;
    }
    std::vector<dataplane::OverrideRule> rules;
    for (const auto& override : overrides) {
        rules.push_back(override.rule);
    }
    return std::make_shared<const dataplane::OverrideSet>(rules);
}

// ---- the registry's part --------------------------------------------------------------------------------------------

/// Like a rollback, a lever for emergencies: a state file that cannot be written does not keep it back.
void ModelRegistry::follow_overrides(Warnings& warnings) {
    compiled_overrides_ = compile(memory_.state.overrides);
    if (auto saved = save(); !saved) {
        warnings.push_back(
            saved.error().error.line() + "; the override will not outlive a restart");
    }
    (void)publish({});  // what it warns of are models and rules, which are as before
}

Outcome<OverrideOutcome> ModelRegistry::set_override(
    const std::string& target,
    dataplane::OverrideKind kind,
    std::uint32_t seconds,
    const Actor& actor) {
    auto done = [&]() -> Outcome<OverrideOutcome> {
        auto parsed = parse_target(target);
        if (!parsed) {
            return refuse(FailureKind::invalid, std::move(parsed.error()));
        }
        if (seconds == 0 || seconds > kLongestOverride) {
            return refuse(
                FailureKind::invalid,
                {"", "seconds", std::to_string(seconds) + " is not within 1 to 2592000", ""});
        }
        auto& overrides = memory_.state.overrides;
        const auto at = std::find_if(overrides.begin(), overrides.end(), [&](const auto& known) {
            return same_target(known.rule, parsed->rule);
        });
        OverrideOutcome out;
        out.replaced = at != overrides.end();
        if (!out.replaced && overrides.size() >= dataplane::kMaxOverrides) {
            return refuse(
                FailureKind::exhausted,
                {"overrides",
                 "",
                 "there are 1024 already, which is the most",
                 "remove some (weirctl unblock), use a wider prefix, or write rules to weir.yaml"});
        }
        parsed->rule.kind = kind;
        parsed->seconds = seconds;
        parsed->since_unix = wall_unix();
        parsed->by = actor_text(actor);
        parsed->until = Clock::now() + std::chrono::seconds(seconds);
        out.override = *parsed;
        if (out.replaced) {
            *at = std::move(*parsed);
        } else {
            overrides.push_back(std::move(*parsed));
        }
        follow_overrides(out.warnings);
        return out;
    }();
    audit(
        actor,
        std::string(kind_name(kind)),
        "",
        "",
        done ? done->override.target : target.substr(0, 200),
        done ? nullptr : &done.error().error,
        done ? until_text(done->override) : "");
    return done;
}

Outcome<Override> ModelRegistry::remove_override(const std::string& target, const Actor& actor) {
    auto done = [&]() -> Outcome<Override> {
        const auto parsed = parse_target(target);
        if (!parsed) {
            return refuse(FailureKind::invalid, parsed.error());
        }
        auto& overrides = memory_.state.overrides;
        const auto at = std::find_if(overrides.begin(), overrides.end(), [&](const auto& known) {
            return same_target(known.rule, parsed->rule);
        });
        if (at == overrides.end()) {
            return refuse(
                FailureKind::not_found,
                {parsed->target, "", "is not overridden", "see weirctl overrides"});
        }
        Override gone = std::move(*at);
        overrides.erase(at);
        Warnings warnings;
        follow_overrides(warnings);
        for (const auto& warning : warnings) {
            spdlog::warn("{}", warning);
        }
        return gone;
    }();
    audit(
        actor,
        "unblock",
        "",
        done ? std::string(kind_name(done->rule.kind)) + " " + done->target : "",
        done ? done->target : target.substr(0, 200),
        done ? nullptr : &done.error().error);
    return done;
}

/// Those whose time has come, told and taken out. True if there were any: workers are to follow.
bool ModelRegistry::expire_overrides(Clock::time_point now) {
    auto& overrides = memory_.state.overrides;
    for (const auto& override : overrides) {
        if (now >= override.until) {
            audit(
                Actor{.via = "internal"},
                "expire",
                "",
                std::string(kind_name(override.rule.kind)) + " " + override.target,
                override.target,
                nullptr,
                "set by " + override.by + ", " + until_text(override));
        }
    }
    const auto gone =
        std::erase_if(overrides, [&](const auto& override) { return now >= override.until; });
    if (gone == 0) {
        return false;
    }
    compiled_overrides_ = compile(overrides);
    if (const auto saved = save(); !saved) {
        spdlog::warn("ended overrides stay in the state file: {}", saved.error().error.line());
    }
    return true;
}

/// At start: what the state file has, each for the rest of its time.
void ModelRegistry::recover_overrides() {
    const auto now = Clock::now();
    const std::int64_t wall = wall_unix();
    for (auto& override : memory_.state.overrides) {
        const auto left = std::clamp<std::int64_t>(
            override.until_unix() - wall, 0, std::int64_t{override.seconds});
        override.until = now + std::chrono::seconds(left);
    }
    compiled_overrides_ = compile(memory_.state.overrides);
}

}  // namespace weir::control
