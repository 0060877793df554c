// SPDX-License-Identifier: BSD-3-Clause
// The audit log's chain: whatever is edited, cut, added or moved is found.
#include "control/audit/audit.h"

#include "gateway_fixture.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace weir::control::test {
namespace {

namespace fs = std::filesystem;

class AuditTest : public testing::Test {
  protected:
    void open(const AuditLimits& limits = {}) {
        log_.reset();
        auto log = AuditLog::open(path_, limits);
        ASSERT_TRUE(log) << log.error().line();
        log_ = std::move(*log);
    }
    void append(int count) {
        for (int i = 0; i < count; ++i) {
            AuditEntry entry;
            entry.actor = {.via = "socket", .uid = 1000, .gid = 1000, .pid = 7, .sans = {}};
            entry.action = "activate";
            entry.slot = "qos";
            entry.to = "m@" + std::to_string(++number_);
            entry.result = "ok";
            log_->append(entry);
        }
    }
    [[nodiscard]] std::vector<std::string> lines() const {
        std::ifstream in(path_);
        std::vector<std::string> out;
        for (std::string line; std::getline(in, line);) {
            out.push_back(line);
        }
        return out;
    }
    void write(const std::vector<std::string>& lines) const {
        std::ofstream out(path_, std::ios::trunc);
        for (const auto& line : lines) {
            out << line << '\n';
        }
    }

    TempDir dir_;
    std::string path_ = dir_ / "audit.log";
    std::unique_ptr<AuditLog> log_;
    int number_ = 0;
};

TEST_F(AuditTest, AWholeLogIsWholeOverRestarts) {
    open();
    append(5);
    open();
    append(5);
    const auto report = verify_audit(path_);
    ASSERT_TRUE(report) << report.error().line();
    EXPECT_EQ(report->lines, 10U);
    EXPECT_EQ(report->first, 1U);
    EXPECT_EQ(report->last, 10U);
    for (const auto& line : lines()) {
        EXPECT_EQ(nlohmann::json::parse(line)["action"], "activate");
    }
}

TEST_F(AuditTest, EveryFlippedByteIsFound) {
    open();
    append(4);
    const std::string good = read_text(path_);
    for (std::size_t i = 0; i < good.size(); ++i) {
        std::string bad = good;
        bad[i] = static_cast<char>(bad[i] ^ 1);
        write_text(path_, bad);
        EXPECT_FALSE(verify_audit(path_)) << "byte " << i << " of " << good.substr(i, 10);
    }
    write_text(path_, good);
    EXPECT_TRUE(verify_audit(path_));
}

TEST_F(AuditTest, CutsAdditionsAndMovesAreFoundWhereTheyAre) {
    open();
    append(6);
    const auto good = lines();
    for (std::size_t i = 0; i < good.size(); ++i) {
        auto bad = good;
        bad.erase(bad.begin() + static_cast<std::ptrdiff_t>(i));
        write(bad);
        // The first may go with an old file; the chain cannot tell. The last is known from the head file.
        EXPECT_EQ(verify_audit(path_).has_value(), i == 0) << "cut " << i;
        bad = good;
        bad.insert(bad.begin() + static_cast<std::ptrdiff_t>(i), good[i]);
        write(bad);
        EXPECT_FALSE(verify_audit(path_)) << "doubled " << i;
    }
    for (std::size_t i = 0; i + 1 < good.size(); ++i) {
        auto bad = good;
        std::swap(bad[i], bad[i + 1]);
        write(bad);
        const auto found = verify_audit(path_);
        ASSERT_FALSE(found) << "moved " << i;
        EXPECT_NE(found.error().where.find(path_ + ":"), std::string::npos);
    }
    auto bad = good;
    bad.insert(bad.begin() + 2, R"({"time":"2026-01-01","action":"activate"})");
    write(bad);
    EXPECT_FALSE(verify_audit(path_));
}

TEST_F(AuditTest, AnEditedLineWithItsHashMadeAnewIsFound) {
    open();
    append(5);
    auto bad = lines();
    auto body = nlohmann::ordered_json::parse(bad[2]);
    body["to"] = "evil@1";
    body.erase("hash");
    body.erase("seq");
    std::string hash = body["prev"];
    body.erase("prev");
    bad[2] = chain_audit_line(body.dump(), 3, hash);
    write(bad);
    const auto found = verify_audit(path_);
    ASSERT_FALSE(found);
    EXPECT_NE(found.error().where.find(":4"), std::string::npos) << found.error().line();
}

TEST_F(AuditTest, RotationKeepsTheChainAndTheNumberOfFiles) {
    open({2000, 3});
    append(40);
    EXPECT_TRUE(fs::exists(path_ + ".3"));
    EXPECT_FALSE(fs::exists(path_ + ".4"));
    EXPECT_LT(fs::file_size(path_), 4000U);
    auto report = verify_audit(path_);
    ASSERT_TRUE(report) << report.error().line();
    EXPECT_EQ(report->last, 40U);
    EXPECT_GT(report->first, 1U);
    EXPECT_EQ(report->files, 4U);
    open({2000, 3});
    append(1);
    EXPECT_EQ(verify_audit(path_)->last, 41U);
    // An edit of the very first line there is.
    std::string text = read_text(path_ + ".3");
    const auto at = text.find("m@");
    text[at] = 'n';
    write_text(path_ + ".3", text);
    EXPECT_FALSE(verify_audit(path_));
    fs::remove(path_ + ".2");
    EXPECT_FALSE(verify_audit(path_)) << "a whole file is missing";
}

TEST_F(AuditTest, ALineTornByAPowerCutGoesAndTheChainGoesOn) {
    open();
    append(3);
    log_.reset();
    const std::string whole = read_text(path_);
    write_text(path_, whole + R"({"seq":4,"prev":"12)");
    open();
    append(2);
    const auto report = verify_audit(path_);
    ASSERT_TRUE(report) << report.error().line();
    EXPECT_EQ(report->lines, 5U);
}

TEST_F(AuditTest, HostileNamesStayOneLine) {
    open();
    AuditEntry entry;
    entry.slot = "a\nb\xff\"}";
    entry.actor.sans = {"spiffe://x\n"};
    entry.reason = std::string(100'000, '"');
    log_->append(entry);
    append(1);
    EXPECT_EQ(lines().size(), 2U);
    EXPECT_TRUE(verify_audit(path_));
}

}  // namespace
}  // namespace weir::control::test
