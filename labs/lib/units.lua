-- SPDX-License-Identifier: GPL-2.0
-- What the book's parser finds in the files of $FILES, one definition a line:
-- labs/selftest compares it with labs/lib/definitions.py.
--
--	echo | FILES="a.c b.c" pandoc --lua-filter units.lua -t plain

local here = PANDOC_SCRIPT_FILE:match('^(.*)/labs/lib/')
local region = dofile(here .. '/tools/book/region.lua')

function Pandoc()
  for path in os.getenv('FILES'):gmatch('%S+') do
    for _, unit in ipairs(assert(region.units(path))) do
      if not unit.marked then
        print(path, unit.name, unit.first, unit.last, tostring(unit.body or false))
      end
    end
  end
  os.exit(0)
end
