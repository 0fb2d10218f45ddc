#!lua flags=allow-oom
-- A turn's begin or end, and whatever must be written on full memory too; see effects.lua.
-- KEYS, ARGV, returns, invariant: as in effects.lua. Runs on full memory, because it is what frees memory.
return commit()
