#!/usr/bin/env bash
# The card's linker script refuses a heap, exceptions, run-time type information and static constructors, each by name;
# and it links a program that has none of them. docs/card_boards.md, 2.
#
# Usage: link_refusals_test.sh IMAGE_LD
set -uo pipefail
script=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

link() { # SOURCE: what the linker said
    printf '%s\n' "$1" >"$work/main.cpp"
    # nosys: the C library's stubs are there, so that nothing but the script can refuse.
    arm-none-eabi-g++ -Os -std=c++23 -mcpu=cortex-m3 -mthumb -nostartfiles -specs=nano.specs -specs=nosys.specs \
        -T "$script" "$work/main.cpp" -o "$work/main.elf" 2>&1
}
refuses() { # WHAT MESSAGE SOURCE
    local said
    if said=$(link "$3"); then
        echo "$1: was linked" && failed=1
    elif ! grep -qF "$2" <<<"$said"; then
        echo "$1: refused, but not with \"$2\":" && tail -n 3 <<<"$said" && failed=1
    else
        echo "$1: refused"
    fi
}

plain='extern "C" void reset() { for (;;) {} }'
if ! said=$(link "$plain"); then echo "a plain program is refused: $said" && failed=1; fi
refuses "malloc" "a heap got into" '#include <cstdlib>
void* volatile kept; extern "C" void reset() { kept = std::malloc(8); for (;;) {} }'
refuses "operator new" "operator new or delete" '#include <new>
int* volatile kept; extern "C" void reset() { kept = new int{3}; for (;;) {} }'
refuses "an exception" "exceptions got into" 'extern "C" void reset() { throw 3; }'
refuses "dynamic_cast" "run-time type information" 'struct A { virtual int f(); }; struct B : A { int f() override; };
int A::f() { return 1; } int B::f() { return 2; } A* volatile a; B* volatile b;
extern "C" void reset() { b = dynamic_cast<B*>(a); for (;;) {} }'
refuses "a static constructor" "needs a constructor" 'int volatile seen; struct A { A() { seen = 1; } }; A a;
extern "C" void reset() { for (;;) {} }'
exit "$failed"
