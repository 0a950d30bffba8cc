# A room is a folder under src/: sources become tophand_NAME, *_test.cc become NAME_test, *_bench.cc
# NAME_bench, *_fuzz.cc one program each. Adding a file needs no edit here.
#
# COMPACT: the room's code runs once a request, with the caches cold, where every line of it that is
# touched costs more than calls do. GCC otherwise writes the bodies of std::string's and std::vector's
# functions out wherever they are used, a third of all instructions (docs/performance-gateway.md).

function(tophand_room name)
  cmake_parse_arguments(ROOM "COMPACT" "" "DEPENDS;LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc)
  tophand_split_sources("${sources}")
  if(NOT room_sources)
    set(room_sources ${CMAKE_SOURCE_DIR}/cmake/empty.cc)
  endif()
  add_library(tophand_${name} STATIC ${room_sources})
  target_include_directories(tophand_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(tophand_${name} PUBLIC tophand_flags ${ROOM_LIBRARIES})
  if(ROOM_COMPACT AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(tophand_${name} PRIVATE ${tophand_profile_options})
    # A profile knows better what is worth writing out.
    if(NOT TOPHAND_PROFILE STREQUAL "apply")
      target_compile_options(tophand_${name} PRIVATE --param=max-inline-insns-single=4)
    endif()
  endif()
  foreach(other ${ROOM_DEPENDS})
    target_link_libraries(tophand_${name} PUBLIC tophand_${other})
  endforeach()
  tophand_room_programs(${name} tophand_${name})
endfunction()

# Sources of a COMPACT room in which GCC inlines as it usually does: loops over small functions.
function(tophand_written_out)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS --param=max-inline-insns-single=70)
  endif()
endfunction()

# The program's room: the same, plus an executable from main.cc.
function(tophand_program program name)
  cmake_parse_arguments(ROOM "" "" "DEPENDS;LIBRARIES" ${ARGN})
  tophand_room(${name} DEPENDS ${ROOM_DEPENDS} LIBRARIES ${ROOM_LIBRARIES})
  if(EXISTS ${CMAKE_SOURCE_DIR}/src/${name}/main.cc)
    add_executable(${program} ${CMAKE_SOURCE_DIR}/src/${name}/main.cc)
    target_link_libraries(${program} PRIVATE tophand_${name})
    set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  endif()
endfunction()

macro(tophand_split_sources all)
  set(room_sources)
  set(test_sources)
  set(bench_sources)
  set(fuzz_sources)
  foreach(file ${all})
    if(file MATCHES "_test\\.cc$")
      list(APPEND test_sources ${file})
    elseif(file MATCHES "_bench\\.cc$")
      list(APPEND bench_sources ${file})
    elseif(file MATCHES "_fuzz\\.cc$")
      list(APPEND fuzz_sources ${file})
    elseif(NOT file MATCHES "/main\\.cc$")
      list(APPEND room_sources ${file})
    endif()
  endforeach()
endmacro()

# Tests are more than half of what there is to compile, and are run a few times: gtest's headers are
# read once for all of a program's files, and less is optimised (40 % of the time).
function(tophand_quick_to_compile test)
  target_precompile_headers(${test} PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # -fpch-preprocess: ccache reads headers through it.
    target_compile_options(${test} PRIVATE $<$<CONFIG:Release>:-O1> -fpch-preprocess)
  endif()
endfunction()

macro(tophand_room_programs name library)
  if(TOPHAND_TESTS AND test_sources)
    add_executable(${name}_test ${test_sources})
    target_link_libraries(${name}_test PRIVATE ${library} GTest::gmock GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE TOPHAND_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    tophand_quick_to_compile(${name}_test)
    # Parameters have names of their own; their values would be listed as raw bytes.
    gtest_discover_tests(${name}_test TEST_PREFIX "${name}." NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60
                         PROPERTIES TIMEOUT 300)
  endif()
  if(TOPHAND_BENCHMARKS AND bench_sources)
    add_executable(${name}_bench ${bench_sources})
    target_link_libraries(${name}_bench PRIVATE ${library} benchmark::benchmark_main)
  endif()
  if(TOPHAND_FUZZERS)
    foreach(file ${fuzz_sources})
      get_filename_component(target ${file} NAME_WE)
      add_executable(${target} ${file})
      target_link_libraries(${target} PRIVATE ${library})
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    endforeach()
  endif()
endmacro()

# Compiles a data file into a room: `std::string_view NAMESPACE::FUNCTION()` is its text.
function(tophand_embed_text library file header namespace function)
  set(output ${CMAKE_BINARY_DIR}/embedded/${function}.cc)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${CMAKE_SOURCE_DIR}/${file} -DOUTPUT=${output}
            -DHEADER=${header} -DNAMESPACE=${namespace} -DFUNCTION=${function}
            -P ${CMAKE_SOURCE_DIR}/cmake/embed_text.cmake
    DEPENDS ${CMAKE_SOURCE_DIR}/${file} ${CMAKE_SOURCE_DIR}/cmake/embed_text.cmake
    VERBATIM)
  # The standard promises no more than 65,536 characters; both compilers take any length.
  set_source_files_properties(${output} PROPERTIES COMPILE_OPTIONS -Wno-overlength-strings)
  target_sources(${library} PRIVATE ${output})
endfunction()
