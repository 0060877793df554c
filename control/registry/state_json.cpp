// SPDX-License-Identifier: BSD-3-Clause
// The state file: registry state as JSON, read as if it were hostile.
#include "control/registry/store.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

namespace weir::control {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;
constexpr double kLongest = 1e10;  ///< seconds, some 300 years
constexpr std::array<std::string_view, 5> kStageNames{
    "verified", "shadow", "canary", "active", "retired"};
constexpr std::array<std::string_view, 3> kActionNames{"pass", "mark", "drop"};
constexpr std::array<std::string_view, 3> kSourceNames{"default", "config", "pushed"};

template <std::size_t N>
std::uint8_t index_of(const std::array<std::string_view, N>& names, const std::string& name) {
    for (std::size_t i = 0; i < N; ++i) {
        if (names[i] == name) {
            return static_cast<std::uint8_t>(i);
        }
    }
    throw std::invalid_argument("'" + name + "' is no known value");
}

Json key_json(const std::optional<ModelKey>& key) {
    if (!key) {
        return nullptr;
    }
    return Json{{"name", key->name}, {"version", key->version}};
}

std::optional<ModelKey> key_from(const Json& json, const std::string& slot) {
    if (json.is_null()) {
        return std::nullopt;
    }
    ModelKey key{slot, json.at("name").get<std::string>(), json.at("version").get<std::uint32_t>()};
    if (!safe_name(key.name)) {
        throw std::invalid_argument("'" + key.name + "' is no model name");
    }
    return key;
}

Json model_json(const ModelInfo& model) {
    return Json{
        {"slot", model.key.slot},
        {"name", model.key.name},
        {"version", model.key.version},
        {"stage", stage_name(model.stage)},
        {"source", source_name(model.source)},
        {"signer", model.signer},
        {"digest", model.digest},
        {"description", model.description},
        {"size_bytes", model.size_bytes},
        {"created_unix", model.created_unix},
        {"added_unix", model.added_unix},
        {"activated_unix", model.activated_unix},
        {"classes", model.classes},
        {"inputs", model.inputs},
        {"cycles_per_row", model.cycles_per_row},
        {"isa", model.isa},
        {"measured_cycles", model.measured_cycles},
        {"sealed", model.sealed},
    };
}

ModelInfo model_from(const Json& json) {
    ModelInfo model;
    json.at("slot").get_to(model.key.slot);
    json.at("name").get_to(model.key.name);
    json.at("version").get_to(model.key.version);
    if (!safe_name(model.key.slot) || !safe_name(model.key.name)) {
        throw std::invalid_argument("'" + model.key.label() + "' is no model name");
    }
    model.stage = static_cast<Stage>(index_of(kStageNames, json.at("stage")));
    model.source = static_cast<Source>(index_of(kSourceNames, json.at("source")));
    json.at("signer").get_to(model.signer);
    json.at("digest").get_to(model.digest);
    json.at("description").get_to(model.description);
    json.at("size_bytes").get_to(model.size_bytes);
    json.at("created_unix").get_to(model.created_unix);
    json.at("added_unix").get_to(model.added_unix);
    json.at("activated_unix").get_to(model.activated_unix);
    json.at("classes").get_to(model.classes);
    json.at("inputs").get_to(model.inputs);
    json.at("cycles_per_row").get_to(model.cycles_per_row);
    json.at("isa").get_to(model.isa);
    model.measured_cycles = json.value("measured_cycles", 0.0);
    model.sealed = json.value("sealed", false);
    return model;
}

Json rule_json(const std::optional<config::ClassRule>& rule) {
    if (!rule) {
        return nullptr;
    }
    return Json{
        {"action", kActionNames[static_cast<std::size_t>(rule->action)]},
        {"dscp", rule->dscp},
        {"min_confidence", rule->min_confidence}};
}

std::optional<config::ClassRule> rule_from(const Json& json) {
    if (json.is_null()) {
        return std::nullopt;
    }
    config::ClassRule rule;
    rule.action = static_cast<config::ActionKind>(index_of(kActionNames, json.at("action")));
    json.at("dscp").get_to(rule.dscp);
    json.at("min_confidence").get_to(rule.min_confidence);
    if (rule.dscp > 63 || !(rule.min_confidence >= 0.0 && rule.min_confidence <= 1.0)) {
        throw std::invalid_argument("a rule is out of range");
    }
    return rule;
}

Json trial_json(const TrialState& trial) {
    Json json = key_json(trial.key);
    json["permyriad"] = trial.permyriad;
    json["salt"] = trial.salt;
    return json;
}

TrialState trial_from(const Json& json, const std::string& slot) {
    TrialState trial;
    trial.key = key_from(json, slot).value();
    json.at("permyriad").get_to(trial.permyriad);
    json.at("salt").get_to(trial.salt);
    if (trial.permyriad > kWholeShare) {
        throw std::invalid_argument("a canary's share is out of range");
    }
    return trial;
}

/// Absent in files of older versions.
double age_from(const Json& json, const char* name) {
    const double age = json.value(name, 0.0);
    if (!(age >= 0.0 && age <= kLongest)) {
        throw std::invalid_argument(std::string(name) + " is out of range");
    }
    return age;
}

SlotState slot_from(const std::string& name, const Json& json) {
    SlotState slot;
    json.at("configured").get_to(slot.configured);
    json.at("configured_digest").get_to(slot.configured_digest);
    slot.active = key_from(json.at("active"), name);
    for (const auto& key : json.at("history")) {
        slot.history.push_back(key_from(key, name));
    }
    // Since a later version than the rest of the format: absent in older files.
    const Json trials = json.value("trials", Json::array());
    for (const auto& trial : trials) {
        slot.trials.push_back(trial_from(trial, name));
    }
    slot.age_s = age_from(json, "age_s");
    const Json rules = json.value("rules", Json::object());
    for (const auto& [cls, rule] : rules.items()) {
        slot.rules.emplace(cls, rule_from(rule));
    }
    return slot;
}

Json override_json(const Override& override) {
    return Json{
        {"target", override.target},
        {"kind", kind_name(override.rule.kind)},
        {"since_unix", override.since_unix},
        {"seconds", override.seconds},
        {"by", override.by}};
}

Override override_from(const Json& json) {
    constexpr std::array<std::string_view, 2> kKinds{"block", "allow"};
    const auto target = json.at("target").get<std::string>();
    auto parsed = parse_target(target);
    if (!parsed) {
        throw std::invalid_argument("'" + target + "' is no target of an override");
    }
    parsed->rule.kind = static_cast<dataplane::OverrideKind>(index_of(kKinds, json.at("kind")));
    json.at("since_unix").get_to(parsed->since_unix);
    json.at("seconds").get_to(parsed->seconds);
    json.at("by").get_to(parsed->by);
    constexpr std::int64_t kLatest = 1LL << 40;
    if (parsed->seconds > kLongestOverride || parsed->since_unix < 0 ||
        parsed->since_unix > kLatest) {
        throw std::invalid_argument("an override's time is out of range");
    }
    return std::move(*parsed);
}

/// Absent in files of older versions.
std::vector<Override> overrides_from(const Json& json) {
    std::vector<Override> out;
    const Json list = json.value("overrides", Json::array());
    for (const auto& entry : list) {
        Override override = override_from(entry);
        const bool known = std::any_of(out.begin(), out.end(), [&](const auto& other) {
            return same_target(other.rule, override.rule);
        });
        if (known || out.size() >= dataplane::kMaxOverrides) {
            throw std::invalid_argument("an override is there twice, or there are too many");
        }
        out.push_back(std::move(override));
    }
    return out;
}

}  // namespace

std::string_view stage_name(Stage stage) noexcept {
    return kStageNames[static_cast<std::size_t>(stage)];
}

std::string_view source_name(Source source) noexcept {
    return kSourceNames[static_cast<std::size_t>(source)];
}

std::string state_to_json(const RegistryState& state) {
    Json slots = Json::object();
    for (const auto& [name, slot] : state.slots) {
        Json history = Json::array();
        for (const auto& key : slot.history) {
            history.push_back(key_json(key));
        }
        Json trials = Json::array();
        for (const auto& trial : slot.trials) {
            trials.push_back(trial_json(trial));
        }
        Json rules = Json::object();
        for (const auto& [cls, rule] : slot.rules) {
            rules[cls] = rule_json(rule);
        }
        slots[name] = Json{
            {"configured", slot.configured},
            {"configured_digest", slot.configured_digest},
            {"active", key_json(slot.active)},
            {"history", std::move(history)},
            {"trials", std::move(trials)},
            {"rules", std::move(rules)},
            {"age_s", slot.age_s},
        };
    }
    Json models = Json::array();
    for (const auto& model : state.models) {
        models.push_back(model_json(model));
    }
    Json overrides = Json::array();
    for (const auto& override : state.overrides) {
        overrides.push_back(override_json(override));
    }
    const Json json{
        {"format", kFormat},
        {"slots", std::move(slots)},
        {"highest", state.highest},
        {"models", std::move(models)},
        {"barred", state.barred},
        {"overrides", std::move(overrides)},
        {"written", {{"boot", state.written.id}, {"age_s", state.written.seconds}}},
        {"contact_age_s", state.contact_age_s},
    };
    return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<RegistryState> state_from_json(const std::string& text, const std::string& where) {
    // The JSON library reports by exceptions; they end here.
    try {
        const Json json = Json::parse(text);
        if (json.at("format").get<int>() != kFormat) {
            return fail(
                where, "format", "is of another version of weir", "move the file out of the way");
        }
        RegistryState state;
        for (const auto& [name, slot] : json.at("slots").items()) {
            state.slots.emplace(name, slot_from(name, slot));
        }
        for (const auto& [name, version] : json.at("highest").items()) {
            state.highest.emplace(name, version.get<std::uint32_t>());
        }
        for (const auto& model : json.at("models")) {
            state.models.push_back(model_from(model));
        }
        const Json barred = json.value("barred", Json::object());
        for (const auto& [label, why] : barred.items()) {
            state.barred.emplace(label, why.get<std::string>());
        }
        state.overrides = overrides_from(json);
        const Json written = json.value("written", Json::object());
        state.written.id = written.value("boot", "");
        state.written.seconds = age_from(written, "age_s");
        state.contact_age_s = age_from(json, "contact_age_s");
        return state;
    } catch (const std::exception& e) {
        return fail(where, "", e.what(), "move the file out of the way");
    }
}

}  // namespace weir::control
