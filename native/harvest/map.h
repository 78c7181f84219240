// map.h: 64-bit keys to 64-bit values, for the harvester's models.
#ifndef ASY_HARVEST_MAP_H
#define ASY_HARVEST_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

typedef struct {
    struct asy_map_slot *slots; // owned
    uint32_t mask, used;
} asy_map; // all zero = empty

// `key` is not 0. A key that is there keeps its place and gets the new value. Errors: ASY_ENOMEM.
asy_status asy_map_put(asy_map *m, uint64_t key, uint64_t value);
bool asy_map_get(const asy_map *m, uint64_t key, uint64_t *value);
void asy_map_remove(asy_map *m, uint64_t key);
void asy_map_clear(asy_map *m);

#endif
