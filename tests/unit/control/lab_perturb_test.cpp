// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/evaluate.h"
#include "control/lab/perturb.h"
#include "tests/unit/control/lab_generate_fixtures.h"

#include <map>
#include <string>

namespace weir::lab::synth {
namespace {

std::vector<Seen> all_of(const std::string& path) {
    std::vector<Seen> out;
    read_capture(path, [&](const Seen& seen) { out.push_back(seen); });
    return out;
}

class Perturb : public testing::Test {
  protected:
    void SetUp() override {
        auto options = options_in(dir_, 5);
        options.packets = 3000;
        must(options);
        before_ = all_of(dir_.path("t.pcap"));
    }
    // The capture as `kind` leaves it; by the reader that checks lengths and checksums.
    std::vector<Seen> after(PerturbKind kind, double strength) {
        const auto summary =
            lab::perturb(dir_.path("t.pcap"), dir_.path("p.pcap"), {kind, strength, 7});
        EXPECT_TRUE(summary) << (summary ? "" : summary.error().line());
        EXPECT_EQ(summary ? summary->packets : 0, before_.size());
        EXPECT_GT(summary ? summary->changed : 0, 100U);
        return all_of(dir_.path("p.pcap"));
    }

    TempDir dir_;
    std::vector<Seen> before_;
};

TEST_F(Perturb, ChangesPacketsWithoutLosingAny) {
    for (const PerturbKind kind :
         {PerturbKind::padding, PerturbKind::delay, PerturbKind::ttl, PerturbKind::window}) {
        EXPECT_EQ(after(kind, 200).size(), before_.size()) << static_cast<int>(kind);
    }
    EXPECT_GT(after(PerturbKind::dummies, 50).size(), before_.size());
}

TEST_F(Perturb, EqualSeedsGiveEqualBytes) {
    after(PerturbKind::padding, 100);
    const std::string first = contents(dir_.path("p.pcap"));
    after(PerturbKind::padding, 100);
    EXPECT_EQ(contents(dir_.path("p.pcap")), first);
    EXPECT_GT(first.size(), contents(dir_.path("t.pcap")).size());
}

TEST_F(Perturb, RefusesWhatIsNoCapture) {
    std::ofstream(dir_.path("x.pcap")) << "no capture";
    const auto refused = lab::perturb(dir_.path("x.pcap"), dir_.path("p.pcap"), {});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().line().find("cannot be read"), std::string::npos);
    PerturbKind kind{};
    EXPECT_TRUE(perturb_kind("ttl", kind));
    EXPECT_FALSE(perturb_kind("colour", kind));
}

// Two attack flows whose scores fall below benign's once they are changed.
TEST(Perturbed, SaysHowFarVerdictsMove) {
    FeatureTable table;
    table.classes = {"benign", "attack"};
    table.groups = {"lab"};
    for (std::uint32_t i = 0; i < 4; ++i) {
        TableFlow flow;
        flow.label = i < 2 ? 0 : 1;
        flow.first_row = i;
        flow.rows = 1;
        table.packets.push_back(1);
        table.flow_of.push_back(i);
        table.flows.push_back(flow);
    }
    const std::vector<RowVerdict> before{{0, 0.1}, {0, 0.2}, {1, 0.9}, {1, 0.8}};
    const std::vector<RowVerdict> after{{0, 0.1}, {0, 0.2}, {0, 0.05}, {1, 0.7}};
    const auto moved = compare_perturbed("delay", table, before, table, after);
    EXPECT_EQ(moved.flows, 2U);
    EXPECT_DOUBLE_EQ(moved.before.alarms, 1.0);
    EXPECT_DOUBLE_EQ(moved.after.alarms, 0.5);
    EXPECT_DOUBLE_EQ(moved.before.auc, 1.0);
    EXPECT_DOUBLE_EQ(moved.after.auc, 0.5);
    EXPECT_DOUBLE_EQ(moved.after.mean_score, 0.375);

    auto evaluation = evaluate(table, "anomaly", before);
    EXPECT_EQ(to_html(evaluation, "t").find("attacker"), std::string::npos) << "not asked for";
    evaluation.perturbed.push_back(moved);
    const std::string json = to_json(evaluation, "t", "r");
    EXPECT_NE(json.find("\"t.perturbed.delay.after.roc_auc\""), std::string::npos);
    EXPECT_NE(json.find("\"t.perturbed.delay.before.alarms\""), std::string::npos);
    const std::string html = to_html(evaluation, "t");
    EXPECT_NE(html.find("As an attacker could have sent them"), std::string::npos);
    EXPECT_NE(html.find("<td>1.0000 → 0.5000</td>"), std::string::npos) << "alarms";
}

}  // namespace
}  // namespace weir::lab::synth
