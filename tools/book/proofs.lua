-- SPDX-License-Identifier: GPL-2.0
-- The tests and mutants of a guarantee, and the mutants of a bug, as Markdown.

local proofs = { tests = {}, mutants = {} }

local function cells(line)
  local out = {}
  for cell in (line .. '\t'):gmatch('(.-)\t') do out[#out + 1] = cell end
  return out
end

-- TEXT is what "proofs.py list" says.
function proofs.read(text)
  for line in (text .. '\n'):gmatch('(.-)\n') do
    local c = cells(line)
    if c[1] == 'test' then
      proofs.tests[#proofs.tests + 1] = {
        name = c[2], guarantee = c[3], file = c[4], twice = c[5] == 'twice' }
    elseif c[1] == 'mutant' then
      proofs.mutants[#proofs.mutants + 1] = {
        name = c[2], guarantee = c[3], variants = c[4], tests = c[5],
        models = c[6], bugs = c[7], words = c[8] }
    end
  end
end

-- What a patch says is plain text; names in it are set as code.
local function prose(text)
  text = text:gsub('[\\`*<>%[%]#|~^$]', '\\%0')
  return (text:gsub('%f[%w_]%w+_[%w_]*%w[()]*', '`%0`')
              :gsub('%f[%w_][%l_]+%(%)', function(name) -- fork()
                return '`' .. name .. '`' end)
              :gsub('``+', '`'))
end

local function codes(list)
  return (list:gsub('%S+', '`%0`'):gsub(' ', ', '))
end

-- Who notices: tests, or checks of the model.
local function seen_by(mutant)
  if mutant.tests ~= '' then return codes(mutant.tests) end
  return 'the model, ' .. ('`' .. mutant.models .. '`'):gsub(', ', '`, `')
end

local function only_in(variants)
  return variants == '' and '' or (' Only in %s.'):format(codes(variants))
end

local function mutant_rows(guarantee)
  local rows = {}
  for _, m in ipairs(proofs.mutants) do
    if m.guarantee == guarantee then
      rows[#rows + 1] = ('| `%s` | %s%s *Seen by* %s. |'):format(m.name,
        prose(m.words), only_in(m.variants), seen_by(m))
    end
  end
  return rows, { '| mutant | what it does |', '|---|---|' }
end

local function test_rows(guarantee)
  local rows, last = {}, nil
  for _, test in ipairs(proofs.tests) do
    if test.guarantee == guarantee then
      local name = ('`%s`%s'):format(test.name, test.twice and '²' or '')
      if last == test.file then
        rows[#rows] = rows[#rows]:gsub(' |$', ', ' .. name .. ' |')
      else
        rows[#rows + 1] = ('| `%s` | %s |'):format(
          test.file:match('[^/]+$'), name)
      end
      last = test.file
    end
  end
  return rows, { '| in | tests |', '|---|---|' }
end

-- Is there a test of this name, which may have * and ? in it?
function proofs.has_test(name)
  local pattern = '^' .. name:gsub('%*', '.*'):gsub('%?', '.') .. '$'
  for _, test in ipairs(proofs.tests) do
    if test.name:match(pattern) or
      test.twice and (test.name .. '_rmap_only'):match(pattern) then
      return true
    end
  end
  return false
end

function proofs.has_mutant(name)
  for _, mutant in ipairs(proofs.mutants) do
    if mutant.name == name then return true end
  end
  return false
end

-- KIND is "tests" or "mutants". Nil and a reason if there are none.
function proofs.table(kind, guarantee)
  local make = kind == 'tests' and test_rows or mutant_rows
  local rows, text = make(guarantee)
  if #rows == 0 then
    return nil, ('there are no %s of guarantee="%s"'):format(kind, guarantee)
  end
  table.move(rows, 1, #rows, #text + 1, text)
  return table.concat(text, '\n')
end

-- The mutants that make this mistake of the skeleton (4.x), and those that are
-- named as its kin, if they exist.
function proofs.of_bug(bug, kin)
  local found, known = {}, {}
  for _, m in ipairs(proofs.mutants) do
    known[m.name] = true
    if bug ~= '' and
      (' ' .. m.bugs .. ' '):find(' ' .. bug .. ' ', 1, true) then
      found[#found + 1] = m.name
    end
  end
  for name in kin:gmatch('%S+') do
    if not known[name] then
      return nil, ('there is no mutant "%s" in tests/mutants'):format(name)
    end
    found[#found + 1] = name
  end
  return codes(table.concat(found, ' '))
end

local function named(word, list)
  if list == '' then return '' end
  return ('%s%s: %s. '):format(word, list:find(',', 1, true) and 's' or '', list)
end

-- "Test: `g2_x`. Mutants: `y`, `z`.", for an interleaving: who forces it, and
-- who lets it through.
function proofs.of_race(tests, bug, kin)
  local known = {}
  for _, test in ipairs(proofs.tests) do known[test.name] = true end
  for name in tests:gmatch('%S+') do
    if not known[name] then
      return nil, ('there is no test "%s" in tests/t-*.c'):format(name)
    end
  end
  local mutants, why = proofs.of_bug(bug, kin)
  if not mutants then return nil, why end
  return named('Test', codes(tests)) .. named('Mutant', mutants)
end

return proofs
