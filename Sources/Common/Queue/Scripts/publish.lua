#!lua
-- What a runtime said and what that implies, with the cursor behind it; see effects.lua.
-- KEYS, ARGV, returns, invariant: as in effects.lua. Refused when memory is full: the owner keeps it for settle.lua.
return commit()
