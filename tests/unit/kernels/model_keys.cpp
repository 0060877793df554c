// SPDX-License-Identifier: BSD-3-Clause
// Key files, keyrings and bundle files on disk.
#include "kernels/model/file.h"
#include "kernels/model/keys.h"
#include "tests/unit/kernels/model_fixtures.h"

#include <fstream>
#include <sstream>

#include <sys/stat.h>

#include <gtest/gtest.h>
#include <unistd.h>

namespace weir::kernels::test {
namespace {

// RFC 8032, 7.1, TEST 1.
constexpr std::array<std::uint8_t, 32> kSeed{
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
    0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
constexpr std::array<std::uint8_t, 32> kPublic{
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};

std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

unsigned mode_of(const std::string& path) {
    struct stat st {};
    EXPECT_EQ(::stat(path.c_str(), &st), 0);
    return st.st_mode & 07777U;
}

TEST(Keys, SeedGivesThePublicKeyOfRfc8032) {
    const PublicKey pub = key_from_seed(kSeed).public_key("n");
    EXPECT_EQ(pub.bytes, kPublic);
    EXPECT_EQ(pub.name, "n");
    EXPECT_EQ(pub.id, key_id(kPublic));
    // b2sum -l 256 over the public key's bytes, first 16 digits.
    EXPECT_EQ(pub.id, "7849ac3049680be1");
}

TEST(Keys, GeneratedKeysDiffer) {
    EXPECT_NE(generate_key().public_key().bytes, generate_key().public_key().bytes);
}

TEST(Keys, WrittenFilesReadBack) {
    const TempDir dir;
    const SecretKey key = generate_key();
    ASSERT_TRUE(write_key_files(key, dir.file("ops")));
    EXPECT_EQ(mode_of(dir.file("ops.key")), 0600U);
    EXPECT_EQ(mode_of(dir.file("ops.pub")), 0644U);
    const auto secret = load_secret_key(dir.file("ops.key"));
    ASSERT_TRUE(secret) << secret.error().line();
    EXPECT_TRUE(std::equal(
        secret->bytes().begin(), secret->bytes().end(), key.bytes().begin(), key.bytes().end()));
    const auto pub = load_public_key(dir.file("ops.pub"));
    ASSERT_TRUE(pub) << pub.error().line();
    EXPECT_EQ(pub->name, "ops");
    EXPECT_EQ(pub->id, key.public_key().id);
    EXPECT_EQ(pub->bytes, key.public_key().bytes);
}

TEST(Keys, NeverOverwrites) {
    const TempDir dir;
    ASSERT_TRUE(write_key_files(test_key(1), dir.file("ops")));
    const std::string before = read(dir.file("ops.key"));
    EXPECT_FALSE(write_key_files(test_key(2), dir.file("ops")));
    EXPECT_EQ(read(dir.file("ops.key")), before);
    // With only the .pub there, no .key is left behind.
    dir.write("half.pub", "x");
    EXPECT_FALSE(write_key_files(test_key(2), dir.file("half")));
    EXPECT_FALSE(std::filesystem::exists(dir.file("half.key")));
    EXPECT_EQ(read(dir.file("half.pub")), "x");
}

TEST(Keys, SecretsOthersMayReadAreRefused) {
    const TempDir dir;
    ASSERT_TRUE(write_key_files(test_key(), dir.file("ops")));
    for (const unsigned mode : {0640U, 0604U, 0620U, 0644U}) {
        ASSERT_EQ(::chmod(dir.file("ops.key").c_str(), mode), 0);
        const auto key = load_secret_key(dir.file("ops.key"));
        ASSERT_FALSE(key) << mode;
        EXPECT_EQ(key.error().where, dir.file("ops.key"));
        EXPECT_EQ(key.error().fix, "chmod 600 " + dir.file("ops.key"));
    }
    ASSERT_EQ(::chmod(dir.file("ops.key").c_str(), 0400), 0);
    EXPECT_TRUE(load_secret_key(dir.file("ops.key")));
}

TEST(Keys, BadPublicKeyFilesAreRefusedByName) {
    const TempDir dir;
    const std::string good = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    dir.write("good.pub", "# comment\n\n  " + good + "\r\n# end");
    const auto key = load_public_key(dir.file("good.pub"));
    ASSERT_TRUE(key) << key.error().line();
    EXPECT_EQ(key->bytes, kPublic);
    const std::vector<std::pair<const char*, std::string>> bad{
        {"empty", ""},
        {"comments", "# only\n"},
        {"two", good + "\n" + good + "\n"},
        {"short", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHUQ==\n"},
        {"long", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURoA\n"},
        {"unpadded", good.substr(0, good.size() - 1)},
        {"trailing", good + "x"},
        {"inner space", "11qY AYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="},
        {"binary", std::string("\0\xff\x01", 3)},
        {"zero", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},  // small order
        {"one", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},   // the neutral element
        {"huge", std::string(5000, '#')},
    };
    for (const auto& [name, text] : bad) {
        const std::string file = std::string(name) + ".pub";
        dir.write(file, text);
        const auto refused = load_public_key(dir.file(file));
        ASSERT_FALSE(refused) << name;
        EXPECT_EQ(refused.error().where, dir.file(file));
    }
    EXPECT_FALSE(load_public_key(dir.file("absent.pub")));
    EXPECT_FALSE(load_public_key(dir.path()));
}

TEST(Keys, SecretWithForeignPublicHalfIsRefused) {
    const TempDir dir;
    SecretKey key = test_key(1);
    const SecretKey other = test_key(2);
    std::copy(other.bytes().begin() + 32, other.bytes().end(), key.bytes().begin() + 32);
    ASSERT_TRUE(write_key_files(key, dir.file("mixed")));
    const auto loaded = load_secret_key(dir.file("mixed.key"));
    ASSERT_FALSE(loaded);
    EXPECT_NE(loaded.error().what.find("halves"), std::string::npos);
}

TEST(Keyring, ReadsEveryPubOfADirectory) {
    const TempDir dir;
    ASSERT_TRUE(write_key_files(test_key(1), dir.file("b")));
    ASSERT_TRUE(write_key_files(test_key(2), dir.file("a")));
    dir.write("README", "not a key");
    const auto ring = Keyring::load_dir(dir.path());
    ASSERT_TRUE(ring) << ring.error().line();
    ASSERT_EQ(ring->keys().size(), 2U);
    EXPECT_EQ(ring->keys()[0].name, "a");
    EXPECT_NE(ring->find(test_key(1).public_key().id), nullptr);
    EXPECT_EQ(ring->find(test_key(3).public_key().id), nullptr);
    EXPECT_EQ(ring->find(""), nullptr);
}

TEST(Keyring, OneKeyUnderTwoNamesIsOneKey) {
    const TempDir dir;
    ASSERT_TRUE(write_key_files(test_key(1), dir.file("a")));
    std::filesystem::copy_file(dir.file("a.pub"), dir.file("b.pub"));
    const auto ring = Keyring::load_dir(dir.path());
    ASSERT_TRUE(ring);
    ASSERT_EQ(ring->keys().size(), 1U);
    EXPECT_EQ(ring->keys()[0].name, "a");
}

TEST(Keyring, EmptyDirectoryIsEmptyButAbsentIsAnError) {
    const TempDir dir;
    const auto empty = Keyring::load_dir(dir.path());
    ASSERT_TRUE(empty);
    EXPECT_TRUE(empty->keys().empty());
    const auto absent = Keyring::load_dir(dir.file("absent"));
    ASSERT_FALSE(absent);
    EXPECT_EQ(absent.error().where, dir.file("absent"));
}

TEST(Keyring, OneBadFileRefusesTheWholeAndIsNamed) {
    const TempDir dir;
    ASSERT_TRUE(write_key_files(test_key(1), dir.file("a")));
    dir.write("bad.pub", "nonsense\n");
    const auto ring = Keyring::load_dir(dir.path());
    ASSERT_FALSE(ring);
    EXPECT_EQ(ring.error().where, dir.file("bad.pub"));
}

TEST(BundleFile, SavedIsLoaded) {
    const TempDir dir;
    const Bytes bytes = signed_bytes(tiny_bundle());
    ASSERT_TRUE(save_bundle_file(dir.file("m.weir"), bytes));
    EXPECT_EQ(mode_of(dir.file("m.weir")), 0644U);
    const auto loaded = load_bundle_file(dir.file("m.weir"), bytes.size());
    ASSERT_TRUE(loaded) << loaded.error().line();
    EXPECT_EQ(*loaded, bytes);
    // Saving again replaces, and leaves nothing else behind.
    ASSERT_TRUE(save_bundle_file(dir.file("m.weir"), signed_bytes(mlp_bundle())));
    EXPECT_EQ(*load_bundle_file(dir.file("m.weir")), signed_bytes(mlp_bundle()));
    const std::filesystem::directory_iterator entries(dir.path());
    EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST(BundleFile, RefusesWhatIsNoSmallRegularFile) {
    const TempDir dir;
    dir.write("empty", "");
    dir.write("large", "12345");
    ASSERT_EQ(::mkfifo(dir.file("fifo").c_str(), 0600), 0);
    const std::vector<std::pair<std::string, const char*>> bad{
        {dir.file("absent"), "cannot open"},
        {dir.path(), "not a regular file"},
        {dir.file("fifo"), "not a regular file"},
        {"/dev/zero", "not a regular file"},
        {dir.file("empty"), "empty"},
        {dir.file("large"), "5 bytes long, at most 4 may be"}};
    for (const auto& [path, what] : bad) {
        const auto loaded = load_bundle_file(path, 4);
        ASSERT_FALSE(loaded) << path;
        EXPECT_EQ(loaded.error().where, path);
        EXPECT_NE(loaded.error().what.find(what), std::string::npos) << loaded.error().line();
    }
    EXPECT_TRUE(load_bundle_file(dir.file("large"), 5));
}

TEST(BundleFile, SavingWhereNothingCanBeSavedIsAnError) {
    const TempDir dir;
    const auto saved = save_bundle_file(dir.file("absent/m.weir"), signed_bytes(tiny_bundle()));
    ASSERT_FALSE(saved);
    EXPECT_NE(saved.error().what.find("cannot create"), std::string::npos);
    // A directory in its place stays, and the temporary file goes.
    ASSERT_TRUE(std::filesystem::create_directory(dir.file("taken")));
    EXPECT_FALSE(save_bundle_file(dir.file("taken"), signed_bytes(tiny_bundle())));
    const std::filesystem::directory_iterator entries(dir.path());
    EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

}  // namespace
}  // namespace weir::kernels::test
