// SPDX-License-Identifier: BSD-3-Clause
#include "perf/ifelse_forest.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include <dlfcn.h>

namespace weir::perf {
namespace {

using kernels::ForestNode;
using kernels::ForestSpec;
using kernels::ForestTree;

void write_child(std::ostream& out, const ForestTree& tree, std::int32_t child) {
    if (child < 0) {
        out << "return " << tree.leaves[static_cast<std::size_t>(~child)] << ";";
        return;
    }
    const ForestNode& node = tree.nodes[static_cast<std::size_t>(child)];
    out << "if (x[" << int{node.feature} << "] > " << int{node.threshold} << ".0f) {";
    write_child(out, tree, node.right);
    out << "} else {";
    write_child(out, tree, node.left);
    out << "}\n";
}

void write_source(std::ostream& out, const ForestSpec& spec) {
    for (std::size_t t = 0; t < spec.trees.size(); ++t) {
        out << "static int tree" << t << "(const float* x) {\n";
        write_child(out, spec.trees[t], spec.trees[t].nodes.empty() ? ~0 : 0);
        out << "}\n";
    }
    out << "void score(const float* x, unsigned long n, int* out) {\n"
        << "for (; n > 0; --n, x += " << spec.inputs << ", out += " << spec.base.size() << ") {\n";
    for (std::size_t o = 0; o < spec.base.size(); ++o) {
        out << "out[" << o << "] = " << spec.base[o];
        for (std::size_t t = 0; t < spec.trees.size(); ++t) {
            if (spec.trees[t].output == o) {
                out << " + tree" << t << "(x)";
            }
        }
        out << ";\n";
    }
    out << "}\n}\n";
}

/// A new folder, gone with this object.
class Folder {
  public:
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "weir-XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) {
            throw std::runtime_error("no folder for generated code: " + pattern);
        }
        path_ = pattern;
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

}  // namespace

IfElseForest::IfElseForest(const ForestSpec& spec) {
    const Folder folder;
    const std::string source = folder.path() / "forest.c";
    const std::string library = folder.path() / "forest.so";
    {
        std::ofstream out(source);
        write_source(out, spec);
        if (!out.flush()) {
            throw std::runtime_error("cannot write " + source);
        }
    }
    const std::string command = "cc -O3 -shared -fPIC -o '" + library + "' '" + source + "'";
    if (std::system(command.c_str()) != 0) {
        throw std::runtime_error("failed: " + command);
    }
    library_ = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    void* const symbol = library_ == nullptr ? nullptr : dlsym(library_, "score");
    if (symbol == nullptr) {
        throw std::runtime_error("cannot load " + library);
    }
    score_ = reinterpret_cast<decltype(score_)>(symbol);
}

IfElseForest::~IfElseForest() {
    if (library_ != nullptr) {
        (void)dlclose(library_);
    }
}

}  // namespace weir::perf
