// SPDX-License-Identifier: BSD-3-Clause
// Files that are not what they should be.
#include "config/load.h"
#include "config/node.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <sys/stat.h>

#include <gtest/gtest.h>
#include <unistd.h>

namespace weir::config {
namespace {

class File : public testing::Test {
  protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "weir-config-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        directory_ = name;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    std::string write(const std::string& name, const std::string& text) {
        const auto path = directory_ / name;
        std::ofstream(path, std::ios::binary) << text;
        return path.string();
    }

    static void expect_refused(
        const std::string& path, const std::string& what, const std::string& fix) {
        const auto loaded = load_file(path);
        ASSERT_FALSE(loaded);
        ASSERT_EQ(loaded.error().size(), 1u);
        const Error& error = loaded.error().front();
        EXPECT_EQ(error.where.rfind(path, 0), 0u) << error.line();
        EXPECT_NE(error.what.find(what), std::string::npos) << error.line();
        EXPECT_NE(error.fix.find(fix), std::string::npos) << error.line();
    }

    std::filesystem::path directory_;
};

constexpr const char* kGood = "ports: [{name: a, device: net_null0}]\ntaps: [a]\n";

TEST_F(File, GoodOneLoads) {
    const std::string path = write("weir.yaml", kGood);
    const auto loaded = load_file(path);
    ASSERT_TRUE(loaded) << loaded.error().front().line();
    EXPECT_EQ(loaded->file, path);
}

TEST_F(File, Absent) {
    expect_refused((directory_ / "none.yaml").string(), "No such file", "check the path");
}

TEST_F(File, Directory) {
    expect_refused(directory_.string(), "is a directory", "weir.yaml");
}

TEST_F(File, FifoDoesNotBlock) {
    const std::string path = (directory_ / "fifo").string();
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    expect_refused(path, "not a regular file", "name a file");
}

TEST_F(File, Device) {
    expect_refused("/dev/zero", "not a regular file", "name a file");
}

TEST_F(File, Unreadable) {
    const std::string path = write("weir.yaml", kGood);
    ASSERT_EQ(::chmod(path.c_str(), 0), 0);
    const uid_t self = ::geteuid();
    constexpr uid_t kNobody = 65534;
    if (self == 0) {
        ASSERT_EQ(::seteuid(kNobody), 0);  // root reads everything
    }
    expect_refused(path, "Permission denied", "chmod");
    if (self == 0) {
        ASSERT_EQ(::seteuid(self), 0);
    }
}

TEST_F(File, Empty) {
    expect_refused(write("weir.yaml", ""), "the file is empty", "config/examples");
    expect_refused(write("weir.yaml", "# nothing\n\n"), "the file is empty", "config/examples");
    expect_refused(write("weir.yaml", "---\n"), "the file is empty", "config/examples");
}

TEST_F(File, TooLarge) {
    expect_refused(
        write("weir.yaml", std::string(kMaxFileBytes + 1, '#')),
        "larger than 1 MiB",
        "configuration");
    std::string padded = kGood;
    padded += "#" + std::string(kMaxFileBytes - padded.size() - 1, 'x');
    EXPECT_TRUE(load_file(write("weir.yaml", padded)));
}

TEST_F(File, ModelIsLookedForBesideTheFile) {
    const std::string text = std::string(kGood) + "slots: {qos: {model: q.weir}}\n";
    const std::string path = write("weir.yaml", text);
    const auto absent = load_file(path);
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().front().where, path + ":3");
    EXPECT_EQ(absent.error().front().field, "slots.qos.model");
    EXPECT_NE(absent.error().front().what.find("no file"), std::string::npos);
    std::filesystem::create_directory(directory_ / "q.weir");
    const auto folder = load_file(path);
    ASSERT_FALSE(folder);
    EXPECT_NE(folder.error().front().what.find("not a regular file"), std::string::npos);
    std::filesystem::remove(directory_ / "q.weir");
    write("q.weir", "x");
    const auto loaded = load_file(path);
    ASSERT_TRUE(loaded) << loaded.error().front().line();
    EXPECT_EQ(loaded->slots.front().model, (directory_ / "q.weir").string());
}

}  // namespace
}  // namespace weir::config
