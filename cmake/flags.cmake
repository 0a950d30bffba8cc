# Warnings are errors; hardening is on; no file is built for a particular CPU (kernels choose at run
# time through target attributes).
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")

find_program(TOPHAND_CCACHE ccache)
if(TOPHAND_CCACHE)
  # Else it would not keep what is compiled with a precompiled header.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${TOPHAND_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

# Profile-guided optimisation of the COMPACT rooms: `record` makes a program that writes down what it
# runs, beside its object files, `apply` one that is laid out by that. scripts/tune.sh does both, in
# one build folder. What was not run while recording is built as always.
set(TOPHAND_PROFILE "" CACHE STRING "profile-guided optimisation: 'record', 'apply' or empty")
set(tophand_profile_options "")
if(TOPHAND_PROFILE AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  message(FATAL_ERROR "TOPHAND_PROFILE needs g++")
elseif(TOPHAND_PROFILE STREQUAL "record")
  set(tophand_profile_options -fprofile-generate -fprofile-update=prefer-atomic)
  add_link_options(-fprofile-generate)
elseif(TOPHAND_PROFILE STREQUAL "apply")
  # What was not recorded is built as ever, not for size.
  set(tophand_profile_options -fprofile-use -fprofile-partial-training -Wno-missing-profile)
elseif(TOPHAND_PROFILE)
  message(FATAL_ERROR "TOPHAND_PROFILE: 'record' or 'apply', not '${TOPHAND_PROFILE}'")
endif()

add_library(tophand_flags INTERFACE)
target_compile_options(tophand_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
  -Werror -Werror=unused-result -fstack-protector-strong -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these inside its own headers at -O2 (gcc.gnu.org/PR105329, PR107852).
  target_compile_options(tophand_flags INTERFACE -Wno-restrict -Wno-stringop-overflow
                         -Wno-array-bounds -Wno-maybe-uninitialized)
endif()
target_compile_definitions(tophand_flags INTERFACE
  TOPHAND_VERSION="${PROJECT_VERSION}" SPDLOG_FMT_EXTERNAL=1)
if(TOPHAND_SANITIZE)
  target_compile_options(tophand_flags INTERFACE -fsanitize=${TOPHAND_SANITIZE}
                         -fno-sanitize-recover=all)
  target_link_options(tophand_flags INTERFACE -fsanitize=${TOPHAND_SANITIZE})
else()
  target_compile_definitions(tophand_flags INTERFACE $<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
  target_link_options(tophand_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
