# Warnings are errors; hardening is on; no file is built for a particular CPU (kernels choose at run
# time through target attributes).
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")

find_program(TOPHAND_CCACHE ccache)
if(TOPHAND_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${TOPHAND_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${TOPHAND_CCACHE})
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
