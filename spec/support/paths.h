#pragma once

#include <string>

namespace rocket::spec {

// The folder of the project, without a slash at its end.
std::string source_dir();
// The folder of the executables.
std::string bin_dir();
// The executable with this name that specs run. Those that know endpoints also know the one in
// spec/with_tips.
std::string program(const std::string& name);
// The text of a file. Throws std::runtime_error if it cannot be read.
std::string contents_of(const std::string& path);
// Replaces every occurrence of a text in an example that the documents show. Throws std::runtime_error if it
// is not there, because then the example has changed and the spec must change with it.
void adapt_example(std::string& example, const std::string& from, const std::string& to);
// The SQL of the database that these programs need.
const std::string& schema();
// The SQL that gives their roles the rights that they need there, to be run after it.
const std::string& roles();

}  // namespace rocket::spec
