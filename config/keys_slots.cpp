// SPDX-License-Identifier: BSD-3-Clause
// The keys of a slot and of its guardrails.
#include "config/schema.h"
#include "config/sections.h"

namespace weir::config {

namespace {

template <typename T>
Key<T> share(std::string name, double T::*member, std::string text) {
    return {
        name,
        false,
        [=](Context& context, const Node& node, const std::string& path, T& out) {
            read_share(context, node, path, out.*member);
        },
        [=](const std::string& path, const T& /*defaults*/, std::vector<KeyDoc>& out) {
            out.push_back({path, "0 to 1", "1 (off)", text});
        }};
}

const Section<Guardrails>& guardrails_section() {
    static const Section<Guardrails> section{
        number(
            "window_s",
            &Guardrails::window_s,
            1,
            3600,
            "Seconds back from now that are judged, four times a second."),
        number(
            "min_rows",
            &Guardrails::min_rows,
            1,
            1'000'000'000,
            "Rows the model must have scored within the window before it is judged."),
        number(
            "probation_s",
            &Guardrails::probation_s,
            1,
            604'800,
            "How long a model is judged after it became active. Shadows and canaries always are."),
        share(
            "max_alarm_rate",
            &Guardrails::max_alarm_rate,
            "Largest share of rows with a class other than `benign`."),
        share(
            "max_drop_share",
            &Guardrails::max_drop_share,
            "Largest share of packets that the model makes the slot drop; for a shadow, of rows "
            "that it would."),
        share(
            "max_class_shift",
            &Guardrails::max_class_shift,
            "Largest total variation distance of the model's class mix from the active one's (a "
            "newly active model: "
            "from its predecessor's)."),
        share(
            "max_disagreement",
            &Guardrails::max_disagreement,
            "Largest share of rows that a shadow or canary classes otherwise than the active "
            "model."),
        share(
            "max_saturation",
            &Guardrails::max_saturation,
            "Largest share of rows with a confidence of 99.9 % or more."),
        number(
            "max_added_p99_us",
            &Guardrails::max_added_p99_us,
            0,
            1'000'000,
            "Most microseconds that the 99th percentile of added latency may gain over the time "
            "before the model came. 0: off.")};
    return section;
}

}  // namespace

const Section<Slot>& slots_section() {
    static const Section<Slot> section{
        word(
            "model",
            &Slot::model,
            read_model,
            "default, none, or a file",
            "What scores until another model is activated. `default`: the bundle that comes with "
            "Weir (slots "
            "`anomaly` and `qos`). `none`: nothing. Otherwise a bundle file, signed by a key in "
            "`control.keyring`."),
        score_key(),
        number(
            "hysteresis",
            &Slot::hysteresis,
            1,
            16,
            "Equal verdicts in a row that it takes to change a flow's decided class."),
        choice(
            "model_missing",
            &Slot::model_missing,
            fail_words(),
            "What happens to packets while the slot has no model."),
        number(
            "max_cycles_per_row",
            &Slot::max_cycles_per_row,
            1,
            1'000'000'000,
            "Budget of a model's cost in CPU cycles a row, predicted and then measured when a "
            "bundle is checked."),
        number(
            "model_ttl_s",
            &Slot::model_ttl_s,
            0,
            31'536'000,
            "Seconds after which the active model is stale. 0: never."),
        choice(
            "stale",
            &Slot::stale,
            {"last", "pass", "drop"},
            "What a slot with a stale model does. `last`: goes on with it. `pass`: nothing it "
            "decided acts. `drop`: drops "
            "the packets of every flow."),
        group("guardrails", &Slot::guardrails, guardrails_section),
        rules_key()};
    return section;
}

}  // namespace weir::config
