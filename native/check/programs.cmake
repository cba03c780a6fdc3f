# Programs that look the modules' parts over, as targets that are built where they are named (../CMakePresets.json). ../CMakeLists.txt
# includes this, so that paths are those of its folder.
add_executable(check EXCLUDE_FROM_ALL check/check.cpp)
target_link_libraries(check PRIVATE engine)
if(NOT SANITIZE AND NOT CMAKE_CROSSCOMPILING AND NOT APPLE)
  # A function that a level's file shares with others may be the one that the linker keeps for all of them, and it would then run where
  # its instructions don't exist.
  add_custom_command(TARGET check POST_BUILD VERBATIM COMMAND_EXPAND_LISTS
    COMMAND sh -c "! nm --extern-only --demangle \"$@\" | grep ' [VWu] ' >&2" levels "$<FILTER:$<TARGET_OBJECTS:check>,INCLUDE,/level_>"
    COMMENT "The levels' files share no function: what is named here must be in an unnamed namespace, or inlined")
endif()

add_executable(numbers EXCLUDE_FROM_ALL check/numbers.cpp transport/json_number.cpp)
made_of_transport(numbers)

if(NOT TARGET transport_libraries)
  add_custom_target(locks)  # there is nothing to look at
  return()
endif()
if(MODULES)
  # For Clang to say who touches what a lock guards without holding it (locks.sh), and for clang-tidy to read (tidy.sh): as one file,
  # since headers take most of the time. Nothing of it is linked.
  add_library(locks OBJECT EXCLUDE_FROM_ALL transport/binding.cpp ${transport_sources} ${wordpiece_sources})
  set_target_properties(locks PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
  target_include_directories(locks SYSTEM PRIVATE $<TARGET_PROPERTY:_transport,INCLUDE_DIRECTORIES>)
  made_of_transport(locks)
endif()
# Compiled once for the module and for the programs. Most of the compiler's time goes into headers, which sources that are compiled
# together read once; what has options of its own isn't.
add_library(transport_parts OBJECT EXCLUDE_FROM_ALL ${transport_sources})
set_target_properties(transport_parts PROPERTIES POSITION_INDEPENDENT_CODE ON UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 11)
made_of_transport(transport_parts)
set(transport_sources $<TARGET_OBJECTS:transport_parts>)

add_executable(memory EXCLUDE_FROM_ALL check/memory.cpp ${transport_sources})
made_of_transport(memory)

add_executable(units EXCLUDE_FROM_ALL
  check/units/main.cpp check/units/calls.cpp check/units/events.cpp check/units/frames.cpp check/units/http.cpp check/units/lines.cpp
  check/units/numbers.cpp check/units/proxies.cpp check/units/shards.cpp check/units/sharing.cpp check/units/slices.cpp
  ${transport_sources})
set_target_properties(units PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
made_of_transport(units)

foreach(fuzzed IN ITEMS codecs http transport wordpiece)
  add_executable(fuzz_${fuzzed} EXCLUDE_FROM_ALL check/fuzz_${fuzzed}.cpp ${wordpiece_sources} ${transport_sources})
  made_of_transport(fuzz_${fuzzed})
  target_link_options(fuzz_${fuzzed} PRIVATE -fsanitize=fuzzer)
endforeach()
