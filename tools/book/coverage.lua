-- SPDX-License-Identifier: GPL-2.0
-- Literate coverage: is every line of the files that the book is about shown?
--
-- A line counts when it stands in a listing, or on the new side of a diff
-- whose old side is shown, or in a region that is the same, word for word, as
-- the region of that name in a file where it is shown, and a table of the
-- book says so. Blank lines, marker lines and the licence are not asked for.

local region = require 'region'
local M = {}

local shown = {}        -- path -> line -> the listing that has it
local diffs, same = {}, {}

local function lines_of(path)
  shown[path] = shown[path] or {}
  return shown[path]
end

-- A listing shows these lines of a file.
function M.show(path, rows, label)
  for _, row in pairs(rows) do
    if row > 0 and not lines_of(path)[row] then lines_of(path)[row] = label end
  end
end

-- A diff leads from one file to the other (both cut, see region.lua).
function M.diff(from, old, to, new, label)
  diffs[#diffs + 1] = { from = from, old = old.rows, to = to, new = new.rows,
                        label = label }
end

-- A table says what of PATH is as it is in OTHER.
function M.same(path, other)
  same[#same + 1] = { path = path, other = other }
end

local function wanted(lines, number)
  local line = lines[number]
  return line:match('%S') and not region.marker(line) and
    not line:find('SPDX-License-Identifier', 1, true)
end

local function complete(path, rows)
  local lines = region.read(path)
  for _, row in pairs(rows) do
    if row > 0 and wanted(lines, row) and not lines_of(path)[row] then
      return false
    end
  end
  return true
end

local function rows_of(unit)
  local rows = {}
  for row = unit.first, unit.last do rows[#rows + 1] = row end
  return rows
end

local function text_of(path, name)
  local cut = region.cut(path, name)
  return cut and cut.code
end

-- Regions of PATH that OTHER has in the same words; not those inside another.
local function twins(path, other)
  local out = {}
  for _, unit in ipairs(region.units(path) or {}) do
    local inside = false
    for _, outer in ipairs(out) do
      inside = inside or (unit.first >= outer.first and unit.last <= outer.last)
    end
    local found = not inside and region.find(other, unit.name)
    if found and text_of(path, unit.name) == text_of(other, unit.name) then
      out[#out + 1] = { name = unit.name, first = unit.first, last = unit.last,
                        twin = found[1] }
    end
  end
  table.sort(out, function(a, b) return a.first < b.first end)
  return out
end

-- Which listing shows a unit: that of its first line.
local function label_of(path, unit)
  local lines = region.read(path)
  for row = unit.first, unit.last do
    if wanted(lines, row) then return lines_of(path)[row] end
  end
end

-- Follow diffs and tables until nothing more is found. Returns, for each
-- table, what it has to say: { name, listing }.
function M.settle()
  local said = {}
  for _, table_of in ipairs(same) do
    said[table_of.path .. ' ' .. table_of.other] = {}
  end
  repeat
    local moved = false
    for _, diff in ipairs(diffs) do
      if not diff.done and complete(diff.from, diff.old) then
        M.show(diff.to, diff.new, diff.label)
        diff.done, moved = true, true
      end
    end
    for _, pair in ipairs(same) do
      for _, unit in ipairs(twins(pair.path, pair.other)) do
        if not complete(pair.path, rows_of(unit)) and
          complete(pair.other, rows_of(unit.twin)) then
          local label = label_of(pair.other, unit.twin)
          M.show(pair.path, rows_of(unit), label)
          table.insert(said[pair.path .. ' ' .. pair.other],
                       { name = unit.name, label = label, first = unit.first })
          moved = true
        end
      end
    end
  until not moved
  for _, rows in pairs(said) do
    table.sort(rows, function(a, b) return a.first < b.first end)
  end
  return said
end

-- Is a unit shown from its first to its last line?
function M.is_shown(path, unit)
  return complete(path, rows_of(unit))
end

local function name_at(path, row)
  local best
  for _, unit in ipairs(region.units(path) or {}) do
    if unit.first <= row and row <= unit.last and
      (not best or unit.last - unit.first < best.last - best.first) then
      best = unit
    end
  end
  return best and best.name or 'no region'
end

-- What is missing: percent, and "path:first-last (names)", one for each run
-- of lines between two that are shown.
function M.report(paths)
  local all, have, missing = 0, 0, {}
  for _, path in ipairs(paths) do
    local lines, run = region.read(path), nil
    if not lines then return nil, path end
    for row = 1, #lines do
      if wanted(lines, row) then
        all = all + 1
        if lines_of(path)[row] then
          have, run = have + 1, nil
        else
          local name = name_at(path, row)
          if not run then
            run = { path = path, first = row, names = {} }
            missing[#missing + 1] = run
          end
          run.last = row
          if run.names[#run.names] ~= name then
            run.names[#run.names + 1] = name
          end
        end
      end
    end
  end
  local percent = all == 0 and 100 or math.floor(have / all * 1000) / 10
  return percent, missing
end

return M
