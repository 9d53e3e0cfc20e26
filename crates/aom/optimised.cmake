# Builds libaom optimised, also as a part of a debug build.
set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
